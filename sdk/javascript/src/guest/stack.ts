/** Leads stacks of the bundled program back to the author's own files, by the source map that the build puts into the component. */

/** A source map (revision 3), as far as it is needed. */
export interface SourceMap {
  sources: string[];
  mappings: string;
}

/** Frames that say nothing to an author: of the engine, of the bundler, of the SDK. */
const OURS = /\(native\)|\bat native\b|@sangam\/sdk\/src\//;

/** The function that does it for that map. `file` is how frames of the program call it. */
export function translator(load: () => SourceMap | undefined, file: string): (stack: string) => string {
  let lines: Segment[][] | undefined;
  return (stack) => {
    const map = load();
    if (map === undefined) {
      return stack;
    }
    const frames = stack
      .split("\n")
      .map((frame) => {
        const found = /^(\s*at )(?:(.*?) \()?([^()\s]+):(\d+):(\d+)\)?$/.exec(frame);
        if (found === null || !(found[3] as string).endsWith(file)) {
          return frame;
        }
        lines ??= decode(map.mappings);
        const segments = lines[Number(found[4]) - 1] ?? [];
        const at = segments.filter((segment) => segment.column <= Number(found[5]) - 1).at(-1) ?? segments[0];
        const source = at === undefined ? undefined : map.sources[at.source];
        if (at === undefined || source === undefined) {
          return frame;
        }
        const place = `${source}:${at.line + 1}:${at.sourceColumn + 1}`;
        return found[2] === undefined ? `${found[1]}${place}` : `${found[1]}${found[2]} (${place})`;
      });
    const theirs = frames.filter((frame) => !OURS.test(frame) && !frame.includes(file));
    return (theirs.length > 0 ? theirs : frames).join("\n");
  };
}

interface Segment {
  column: number;
  source: number;
  line: number;
  sourceColumn: number;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 VLQ: five bits a digit, the lowest bit of the number is its sign. */
function decode(mappings: string): Segment[][] {
  let [source, line, sourceColumn] = [0, 0, 0];
  return mappings.split(";").map((text) => {
    let column = 0;
    const segments: Segment[] = [];
    for (const part of text === "" ? [] : text.split(",")) {
      const numbers: number[] = [];
      let value = 0;
      let shift = 0;
      for (const char of part) {
        const digit = DIGITS.indexOf(char);
        value |= (digit & 31) << shift;
        shift += 5;
        if ((digit & 32) === 0) {
          numbers.push(value & 1 ? -(value >> 1) : value >> 1);
          value = shift = 0;
        }
      }
      const [columns = 0, sources, down = 0, across = 0] = numbers;
      column += columns;
      if (sources !== undefined) {
        source += sources;
        line += down;
        sourceColumn += across;
        segments.push({ column, source, line, sourceColumn });
      }
    }
    return segments;
  });
}
