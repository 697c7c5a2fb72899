/* The memory of a call: handed out in a row, free again all at once. */
#include <stdlib.h>
#include <string.h>

#include "abi.h"

/* Blocks beyond the first. In a native build, for tests, each thing has a block of its own, so that a sanitizer sees who writes past it. */
typedef struct block {
    struct block *before;
    size_t size;
    max_align_t content[];
} block;

static block *blocks;

#ifdef __wasm__
enum { FIRST = 64 * 1024, PAGE = 64 * 1024, ALIGNMENT = alignof(max_align_t) };

/* Only there if the plugin itself uses it: then the memory that the allocator has not got yet is the allocator's. Else
 * blocks are taken from the end of memory, and an allocator of 9 KB stays out of the component. */
#pragma weak malloc
#pragma weak free

/* Blocks of earlier calls, where the administrator has instances reused. */
static block *spare;

static block *fresh(size_t size) {
    if (malloc) return malloc(size);
    size = (size + PAGE - 1) / PAGE * PAGE;
    for (block **at = &spare; *at; at = &(*at)->before) {
        block *found = *at;
        if (found->size < size) continue;
        *at = found->before;
        return found;
    }
    size_t old = __builtin_wasm_memory_grow(0, size / PAGE);
    if (old == SIZE_MAX) return NULL;
    block *made = (block *)(old * PAGE);
    made->size = size;
    return made;
}

static void give_back(block *used) {
    if (malloc) {
        free(used);
    } else {
        used->before = spare;
        spare = used;
    }
}
#else
static block *fresh(size_t size) { return malloc(size); }

static void give_back(block *used) { free(used); }
#endif

static void *block_of(size_t size) {
    if (size > SIZE_MAX / 2) abort();
    block *made = fresh(sizeof *made + size);
    if (!made) sangam__broken("no memory is left for this call: its limit is `memory`");
    memset(made->content, 0, size);
    made->before = blocks;
    blocks = made;
    return made->content;
}

static void give_back_all(void) {
    while (blocks) {
        block *before = blocks->before;
        give_back(blocks);
        blocks = before;
    }
}

#ifdef __wasm__
/* A call that needs little touches nothing else: pages of zeros, which cost nothing until they are written. */
static alignas(16) unsigned char first[FIRST];
static unsigned char *room = first;
static size_t left = FIRST;
static size_t used; /* of `first` */

void *sangam_alloc(size_t size) {
    if (size > SIZE_MAX - ALIGNMENT) abort();
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > left) {
        if (size >= FIRST) return block_of(size);
        room = block_of(PAGE - sizeof(block));
        left = PAGE - sizeof(block);
    }
    void *given = room;
    room += size;
    left -= size;
    if (room <= first + FIRST && room > first) used = (size_t)(room - first);
    return given;
}

void sangam__reset(void) {
    memset(first, 0, used);
    used = 0;
    room = first;
    left = FIRST;
    give_back_all();
}

/* The host puts arguments and results here. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size);
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    if (size == 0) return (void *)align;
    /* One byte more: a text from the host has a NUL after it, like all texts. And sources without SANGAM_CONNECTOR, SANGAM_SOURCE or
     * SANGAM_DUPLEX don't link: what is undefined then is what those define. */
    if (size == SIZE_MAX || !sangam_exported.name) abort();
    void *given = sangam_alloc(size + 1);
    if (old_size) memcpy(given, old, old_size < size ? old_size : size);
    return given;
}
/* The WASI adapter asks here for its own state, once, which outlives the call. */
__attribute__((export_name("cabi_realloc_adapter"))) void *cabi_realloc_adapter(void *old, size_t old_size, size_t align, size_t size);
void *cabi_realloc_adapter(void *old, size_t old_size, size_t align, size_t size) {
    (void)align;
    block *made = fresh(sizeof *made + size);
    if (!made) abort();
    if (old_size) memcpy(made->content, old, old_size < size ? old_size : size);
    return made->content;
}
#else
void *sangam_alloc(size_t size) { return block_of(size); }

void sangam__reset(void) { give_back_all(); }
#endif

void *sangam_alloc_array(size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) abort();
    return sangam_alloc(count * size);
}
