import { useEffect } from "react";

/** Names the page in the tab and for screen readers. */
export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} – Lyceum`;
  }, [title]);
}
