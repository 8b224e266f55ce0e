/**
 * A recording that stays with its site. The site's player is framed only after a click, so that the site hears of
 * nobody who only reads; a jump opens the player anew at that second, without any script of the site on this page.
 */
import { useImperativeHandle, useState, type Ref } from "react";
import type { Schemas } from "../../api/client";
import { clock } from "../../api/place";
import { outside } from "./outside";
import type { Seekable } from "./player";

interface Props {
  site: Schemas["PlayerAttributes"];
  title: string;
  start: number | null;
  handle: Ref<Seekable>;
}

export function Embedded({ site, title, start, handle }: Props) {
  const framed = site.provider === "youtube" && site.embeddable !== false && /^[\w-]{11}$/.test(site.id);
  const [opened, setOpened] = useState<{ at: number; key: number } | null>(null);
  const [wanted, setWanted] = useState(start ?? 0);
  const open = (at: number) => setOpened((before) => ({ at: Math.max(0, Math.floor(at)), key: (before?.key ?? 0) + 1 }));
  useImperativeHandle(handle, () => ({
    seek: (time) => {
      setWanted(time);
      // Nobody agreed to the other site yet: the place is kept for when somebody does.
      if (opened) open(time);
    },
  }));
  const link = outside(site, wanted);
  const name = site.provider === "youtube" ? "YouTube" : "its site";
  return (
    <div className="embedded">
      {framed && opened ? (
        <iframe
          key={opened.key}
          title={title}
          src={`/player/youtube/${site.id}?start=${opened.at}`}
          allow="autoplay; encrypted-media; fullscreen; picture-in-picture"
          allowFullScreen
        />
      ) : null}
      {framed && !opened ? (
        <div className="curtain">
          <p>This recording is shown by {name}, which then learns that you watch it.</p>
          <button type="button" className="main" onClick={() => open(wanted)}>
            Play here from {clock(wanted)}
          </button>
        </div>
      ) : null}
      {link ? (
        <p>
          <a href={link} target="_blank" rel="noreferrer">
            Open on {name} at {clock(wanted)}
          </a>{" "}
          <span className="quiet">(other site)</span>
        </p>
      ) : null}
    </div>
  );
}
