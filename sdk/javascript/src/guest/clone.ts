/** `structuredClone` of plain data, dates, maps, sets, errors and bytes. */

/** A deep copy. Throws `DataCloneError` for functions and symbols. */
export function structuredClone<T>(value: T): T {
  return copy(value, new Map()) as T;
}

function copy(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === "function" || typeof value === "symbol") {
    throw new DOMException(`a ${typeof value} can't be cloned`, "DataCloneError");
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const known = seen.get(value);
  if (known !== undefined) {
    return known;
  }
  const keep = <R extends object>(made: R): R => {
    seen.set(value, made);
    return made;
  };
  if (value instanceof Date) {
    return keep(new Date(value.getTime()));
  }
  if (value instanceof RegExp) {
    return keep(new RegExp(value.source, value.flags));
  }
  if (value instanceof ArrayBuffer) {
    return keep(value.slice(0));
  }
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
    return keep(new (value.constructor as new (buffer: ArrayBufferLike) => object)(bytes));
  }
  if (value instanceof Map) {
    const made = keep(new Map());
    value.forEach((member, key) => made.set(copy(key, seen), copy(member, seen)));
    return made;
  }
  if (value instanceof Set) {
    const made = keep(new Set());
    value.forEach((member) => made.add(copy(member, seen)));
    return made;
  }
  if (value instanceof Error) {
    const made = keep(new (value.constructor as ErrorConstructor)(value.message));
    made.name = value.name;
    return made;
  }
  const made = keep(Array.isArray(value) ? ([] as unknown as Record<string, unknown>) : ({} as Record<string, unknown>));
  for (const [key, member] of Object.entries(value)) {
    made[key] = copy(member, seen);
  }
  return made;
}
