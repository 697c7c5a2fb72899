// What scrolls can be scrolled by the keyboard: it takes the focus as long as there is more of it than fits, and only then.
import { useEffect, useRef } from "../preact.js";

/** A ref for the element that scrolls. */
export function useScrollable() {
  const frame = useRef(null);
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const measure = () => {
      if (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1) element.tabIndex = 0;
      else element.removeAttribute("tabindex");
    };
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(element);
    for (const child of element.children) watcher.observe(child);
    return () => watcher.disconnect();
  });
  return frame;
}
