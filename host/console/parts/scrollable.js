// What scrolls can be scrolled by the keyboard: it takes the focus as long as there is more of it than fits, and only then.
import { useEffect, useRef } from "../preact.js";

/** A ref for the element that scrolls. Measured when its size or that of what is in it changes, never while it is drawn: that would lay the page out twice. */
export function useScrollable() {
  const frame = useRef(null);
  const own = useRef({ element: null, watcher: null, watched: new WeakSet() });
  useEffect(() => {
    const element = frame.current;
    if (own.current.element !== element) {
      own.current.watcher?.disconnect();
      const measure = () => {
        const more = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
        if (more && element.tabIndex !== 0) element.tabIndex = 0;
        else if (!more && element.hasAttribute("tabindex")) element.removeAttribute("tabindex");
      };
      own.current = { element, watcher: element && new ResizeObserver(measure), watched: new WeakSet() };
      if (element) own.current.watcher.observe(element);
    }
    for (const child of element?.children ?? []) {
      if (own.current.watched.has(child)) continue;
      own.current.watched.add(child);
      own.current.watcher.observe(child);
    }
  });
  useEffect(() => () => own.current.watcher?.disconnect(), []);
  return frame;
}
