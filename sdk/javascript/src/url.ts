/** URLs and their parts. */

/**
 * Encodes a value for one segment of a path, a query or a form: `${base}/contacts/${encode(email)}`. All but the unreserved characters of RFC 3986.
 * `.` and `..` come out unchanged, since no encoding keeps a server from resolving them: check ids that could be those.
 */
export function encode(value: string | number | bigint): string {
  return encodeURIComponent(String(value).toWellFormed()).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A URL for people: without its query, which may hold personal data. */
export function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, "");
}
