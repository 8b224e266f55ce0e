/** Keys of one letter. They sleep while somebody types, and can be turned off (WCAG 2.1.4). */
import { useEffect, useRef, useState } from "react";

const KEPT = "lyceum.keys";

/** Whether a key pressed there belongs to what is being typed or chosen. */
export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  // A box to tick knows arrows and the space bar; letters and digits are free. A closed dialog keeps the focus on its
  // own until the next frame, so a key pressed right after it would be lost otherwise.
  if (target instanceof HTMLInputElement && ["radio", "checkbox"].includes(target.type)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

export function useKeys(actions: Record<string, () => void>): [boolean, (on: boolean) => void] {
  const [on, setOn] = useState(() => localStorage.getItem(KEPT) !== "off");
  const now = useRef(actions);
  now.current = actions;
  useEffect(() => {
    if (!on) return;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      const action = now.current[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [on]);
  const set = (next: boolean) => {
    localStorage.setItem(KEPT, next ? "on" : "off");
    setOn(next);
  };
  return [on, set];
}
