import { useSyncExternalStore } from "react";

const query = window.matchMedia("(max-width: 60rem)");

function subscribe(changed: () => void) {
  query.addEventListener("change", changed);
  return () => query.removeEventListener("change", changed);
}

/** Whether there is no room for a second column; the same width as in the style sheet. */
export function useNarrow(): boolean {
  return useSyncExternalStore(subscribe, () => query.matches);
}
