/** Where a recording is shown that is not kept here. */
import type { Schemas } from "../../api/client";

/** The page of the recording at its site, at a second. */
export function outside({ provider, url }: Schemas["PlayerAttributes"], time: number): string {
  const second = Math.max(0, Math.floor(time));
  try {
    const there = new URL(url);
    if (!/^https?:$/.test(there.protocol)) return "";
    if (provider === "youtube") there.searchParams.set("t", `${second}s`);
    // Media fragments (W3C) are what pages with their own player may understand.
    else if (second > 0) there.hash = `t=${second}`;
    return there.href;
  } catch {
    return "";
  }
}
