/** Scrolls to the cited place and marks it. */
import { useEffect, type RefObject } from "react";
import { useLocation } from "react-router";
import { overlap, type Place } from "../../api/place";

/** The place that an element shows, from its `data-` attributes. */
function placeOf(element: HTMLElement): Place {
  const { placeKind = "", placeStart, placeEnd } = element.dataset;
  return { kind: placeKind, start: Number(placeStart), end: Number(placeEnd) };
}

/** Elements that show the place, without those that hold others of them. */
export function showing(root: HTMLElement, at: Place): HTMLElement[] {
  const all = [...root.querySelectorAll<HTMLElement>("[data-place-kind]")].filter((one) => overlap(placeOf(one), at));
  return all.filter((one) => !all.some((other) => other !== one && one.contains(other)));
}

export function useCited(root: RefObject<HTMLElement | null>, at: Place | null, ready: unknown) {
  const { state } = useLocation();
  const key = at ? `${at.kind}:${at.start}-${at.end}` : "";
  useEffect(() => {
    if (!root.current || !at) return;
    const found = showing(root.current, at);
    for (const one of found) one.classList.add("cited");
    const first = found[0];
    if (first) {
      first.tabIndex = -1;
      first.focus({ preventScroll: true });
      const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      first.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
    }
    return () => {
      for (const one of found) one.classList.remove("cited");
    };
    // `key` stands for `at`; `state` changes when the same place is asked for again.
  }, [root, key, state, ready]);
}
