/** Leads stacks of the bundled program back to the author's own files, by the table of lines that the build puts into the component. */

/** Where the program's lines come from. */
export interface SourceLines {
  sources: string[];
  /** Base64 of one little-endian 32-bit number a line: the index of the source times 2^20, plus the line there, from 0. All ones: from nowhere. */
  lines: string;
}

/** Frames that say nothing to an author: of the engine, of the bundler, of the SDK. */
const OURS = /\(native\)|\bat native\b|@sangam\/sdk\/src\//;

/** The function that does it. `file` is how frames of the program call it. */
export function translator(load: () => SourceLines | undefined, file: string): (stack: string) => string {
  let table: { sources: string[]; lines: DataView } | undefined;
  return (stack) => {
    const given = load();
    if (given === undefined) {
      return stack;
    }
    table ??= { sources: given.sources, lines: view(given.lines) };
    const { sources, lines } = table;
    const frames = stack.split("\n").map((frame) => {
      const found = /^(\s*at )(?:(.*?) \()?([^()\s]+):(\d+):\d+\)?$/.exec(frame);
      const at = 4 * (Number(found?.[4]) - 1);
      if (found === null || !(found[3] as string).endsWith(file) || !(at >= 0 && at < lines.byteLength)) {
        return frame;
      }
      const origin = lines.getUint32(at, true);
      const source = sources[origin >>> 20];
      if (source === undefined) {
        return frame;
      }
      const place = `${source}:${(origin & 0xfffff) + 1}`;
      return found[2] === undefined ? `${found[1]}${place}` : `${found[1]}${found[2]} (${place})`;
    });
    const theirs = frames.filter((frame) => !OURS.test(frame) && !frame.includes(file));
    return (theirs.length > 0 ? theirs : frames).join("\n");
  };
}

function view(base64: string): DataView {
  const { fromBase64 } = Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array };
  const bytes = fromBase64 === undefined ? Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)) : fromBase64.call(Uint8Array, base64);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
