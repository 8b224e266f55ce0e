/** Playing a package: its frame, what is saved, its items, and the way out. */
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { createPath, Link, useBlocker, useParams } from "react-router";
import { api, take, type Schemas } from "../../api/client";
import { signedIn } from "../../api/session";
import type { Said, ToApp, ToPlayer } from "../../player/protocol";
import { useNarrow } from "../../ui/narrow";
import { useOnline } from "../../ui/online";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";
import { Outbox, type State } from "./outbox";
import { finish, open, send, sendKept, type Opened } from "./session";
import { standingInWords, stateInWords, type Standing } from "./words";

type Item = Schemas["ScormItemAttributes"];

export function PackagePage() {
  const { course = "", lesson = "" } = useParams();
  const [opened, setOpened] = useState<Opened | null>(null);
  const [lost, setLost] = useState<string[]>([]);
  const [failed, setFailed] = useState<unknown>(null);
  const begun = useRef("");
  const begin = useCallback(
    async (restart: boolean) => {
      setFailed(null);
      setOpened(null);
      try {
        setLost(await sendKept());
        setOpened(await open(lesson, restart));
      } catch (error) {
        setFailed(error);
      }
    },
    [lesson],
  );
  useEffect(() => {
    // Each opening is a session: once for this page.
    if (begun.current === lesson) return;
    begun.current = lesson;
    void begin(false);
  }, [lesson, begin]);
  useTitle(opened?.card.title ?? "Package");
  const back = `/courses/${course}/lessons/${lesson}`;
  return (
    <div className="package-page">
      {failed || !opened || !opened.card.playable ? (
        <div className="page">
          <p>
            <Link to={back} reloadDocument>
              ← The lesson
            </Link>
          </p>
          {failed ? (
            <Problem title="The package cannot be opened" error={failed} retry={() => void begin(false)} />
          ) : opened ? (
            <p className="empty">
              The files of this package were not kept when it came in. Whoever runs this course can bring it in again;
              then it can be played.
            </p>
          ) : (
            <Waiting what="the package" />
          )}
        </div>
      ) : null}
      {lost.map((message) => (
        <p key={message} className="problem" role="alert">
          Something that you did before could not be saved: {message}.
        </p>
      ))}
      {opened?.card.playable ? (
        <Playing
          key={`${opened.attempt} ${opened.revision}`}
          course={course}
          opened={opened}
          back={back}
          again={() => void begin(false)}
        />
      ) : null}
    </div>
  );
}

interface PlayingProps {
  course: string;
  opened: Opened;
  back: string;
  again: () => void;
}

/** Pauses of a script between two values are shorter than this. */
const AUTOSAVE = 2_000;
/** How long the player may take to hand over a package's last words. */
const LAST_WORDS = 2_500;

/** What is said when the package was taken away. */
const GONE: Record<State["name"], string> = {
  idle: "The package is closed.",
  saving: "The package is closed. What it reported is being saved…",
  saved: "The package is closed, and what it reported is saved.",
  waiting:
    "The package is closed. What it reported is kept in this browser and saved when the server answers: stay here until then, or come back with this browser.",
  refused: "The package is closed. Not everything that it reported could be saved.",
};

/** How far the session is: playing, ended by the script, or taken away. */
type Phase = "playing" | "ended" | "gone";

function Playing({ course, opened, back, again }: PlayingProps) {
  const { card } = opened;
  const frame = useRef<HTMLIFrameElement>(null);
  const [standing, setStanding] = useState<Standing>(card.attempt.standing);
  const [refused, setRefused] = useState(0);
  const [phase, setPhase] = useState<Phase>("playing");
  const [leaving, setLeaving] = useState(false);
  const [box] = useState(
    () =>
      new Outbox(localStorage, opened, send, (outcome) => {
        setStanding(outcome.standing);
        if (outcome.refused.length > 0) setRefused((count) => count + outcome.refused.length);
      }),
  );
  const state = useSyncExternalStore(box.subscribe, () => box.state);
  const online = useOnline();
  const narrow = useNarrow();
  const place = card.items.findIndex((one) => one.item === card.attempt.item);
  const address = useCallback(
    (item: Item | undefined) => (item ? `/app/courses/${course}/lessons/${item.lessons[0] ?? ""}/package` : null),
    [course],
  );

  const left = useRef<(() => void) | null>(null);
  const saySo = useCallback(
    (message: ToPlayer) => frame.current?.contentWindow?.postMessage(message, card.origin),
    [card.origin],
  );
  /** Takes the package away, saves its last words, and goes elsewhere. */
  const leave = useCallback(
    async (to: string | null) => {
      setLeaving(true);
      if (frame.current) {
        const gone = new Promise<void>((done) => (left.current = done));
        saySo({ lyceum: "leave", nonce: opened.nonce });
        await Promise.race([gone, new Promise((wake) => setTimeout(wake, LAST_WORDS))]);
      }
      setPhase("gone");
      const saved = await box.settle(navigator.onLine ? 8_000 : 0);
      if (saved && box.state.name !== "refused") {
        // What is stored stays, also when this does not arrive.
        await finish(opened).catch(() => undefined);
      }
      // After signing out nothing can be sent; what is kept waits for the next login.
      if (to && ((saved && box.state.name !== "refused") || !signedIn())) window.location.assign(to);
      setLeaving(false);
    },
    [box, opened, saySo],
  );
  // A link of the page leads away too: first the last words, then a document without frames.
  const blocker = useBlocker(phase !== "gone");
  useEffect(() => {
    if (blocker.state !== "blocked") return;
    const to = `/app${createPath(blocker.location)}`;
    blocker.reset();
    void leave(to);
  }, [blocker, leave]);
  const { attempt, items } = card;
  const asked = useCallback(
    (request: string) => {
      const target = /^\{target=(.*)\}(?:choice|jump)$/.exec(request)?.[1];
      const at = items.findIndex((one) => one.item === attempt.item);
      if (request === "continue") return address(items[at + 1]);
      if (request === "previous") return address(items[at - 1]);
      if (target !== undefined) return address(items.find((one) => one.item === target));
      return ["exit", "exitAll", "suspendAll", "abandon", "abandonAll"].includes(request) ? "" : null;
    },
    [address, attempt.item, items],
  );

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    const later = () => {
      if (timer) clearTimeout(timer);
      timer = setTimeout(() => box.flush(), AUTOSAVE);
    };
    const heard = (said: Said) => {
      if (said.lyceum === "set") {
        box.set({ element: said.element, value: said.value });
        later();
      } else if (said.lyceum === "commit") {
        box.flush();
      } else if (said.lyceum === "left") {
        left.current?.();
      } else if (said.lyceum === "terminate") {
        box.flush(true);
        if (left.current) return;
        setPhase("ended");
        const to = asked(said.request);
        if (to !== null) void leave(to || null);
      }
    };
    const listen = ({ origin, source, data }: MessageEvent<ToApp | null>) => {
      // Only the player itself: a frame within it has the origin but not the window.
      if (origin !== card.origin || source !== frame.current?.contentWindow || !data) return;
      if (data.lyceum === "hello") {
        saySo({
          lyceum: "begin",
          nonce: opened.nonce,
          edition: attempt.edition,
          values: card.values,
          launchUrl: card.launchUrl,
          title: items[place]?.title ?? card.title,
          next: place >= 0 && place + 1 < items.length,
          previous: place > 0,
          targets: items.map(({ item }) => item),
        });
      } else if (data.nonce === opened.nonce) {
        heard(data);
      }
    };
    const hide = () => {
      if (box.dirty) box.flush(false, true);
    };
    const stay = (event: BeforeUnloadEvent) => {
      if (box.state.name === "waiting" && !navigator.onLine) event.preventDefault();
    };
    const retry = () => box.retry();
    window.addEventListener("message", listen);
    window.addEventListener("pagehide", hide);
    window.addEventListener("beforeunload", stay);
    window.addEventListener("online", retry);
    return () => {
      if (timer) clearTimeout(timer);
      window.removeEventListener("message", listen);
      window.removeEventListener("pagehide", hide);
      window.removeEventListener("beforeunload", stay);
      window.removeEventListener("online", retry);
      box.flush();
    };
  }, [asked, attempt.edition, box, card, items, leave, opened.nonce, place, saySo]);

  const bad = state.name === "waiting" || state.name === "refused";
  const [previous, next] = [address(items[place - 1]), address(items[place + 1])];
  const contents = (
    <Contents course={course} items={items} current={attempt.item} go={(item) => void leave(address(item))} />
  );
  return (
    <>
      <div className="package-bar">
        <div className="package-name">
          <h1>{card.title}</h1>
          <p className="quiet">
            {items.length > 1 ? `${items[place]?.title ?? ""} · ` : ""}
            {standingInWords(standing)}
            {attempt.preview ? ". A look of yours as a teacher: it never counts." : ""}
          </p>
        </div>
        <p className={bad ? "save bad" : "save"} role={bad ? "alert" : undefined} data-save={state.name}>
          {stateInWords(state, online)}
        </p>
        <div className="actions">
          {items.length > 1 ? (
            <>
              <button type="button" disabled={!previous || leaving} onClick={() => void leave(previous)}>
                Previous
              </button>
              <button type="button" disabled={!next || leaving} onClick={() => void leave(next)}>
                Next
              </button>
            </>
          ) : null}
          <button type="button" className="main" disabled={leaving} onClick={() => void leave(`/app${back}`)}>
            {leaving ? "Leaving…" : "Leave"}
          </button>
        </div>
        {refused > 0 ? (
          <p className="package-note quiet" role="status">
            The package set {refused === 1 ? "a value" : `${refused} values`} that its standard does not allow; what it
            may set was saved.
          </p>
        ) : null}
        {card.reportsCompletion ? null : (
          <p className="package-note quiet">This package never reports that it was completed.</p>
        )}
      </div>
      {phase === "ended" ? (
        <div className="package-ended" role="status">
          <p>The package has ended its session. What it reported is saved.</p>
          <button type="button" onClick={again}>
            Open it again
          </button>
        </div>
      ) : null}
      <div className={items.length > 1 && !narrow ? "package-stage listed" : "package-stage"}>
        {items.length > 1 ? (
          narrow ? (
            <details className="package-contents">
              <summary>
                Contents ({place + 1} of {items.length})
              </summary>
              {contents}
            </details>
          ) : (
            <aside className="package-contents">
              <h2>Contents</h2>
              {contents}
            </aside>
          )
        ) : null}
        {phase === "gone" ? (
          <div className="package-gone" role="status">
            <p>{GONE[state.name]}</p>
            <p className="actions">
              <button type="button" onClick={again}>
                Open it again
              </button>
              <Link className="button" to={back} reloadDocument>
                Back to the lesson
              </Link>
            </p>
          </div>
        ) : (
          <iframe
            ref={frame}
            className="package-frame"
            title={items[place]?.title ?? card.title}
            src={card.playerUrl}
            sandbox="allow-same-origin allow-scripts allow-forms allow-popups allow-modals allow-downloads"
            allow="autoplay; fullscreen"
          />
        )}
      </div>
    </>
  );
}

interface ContentsProps {
  course: string;
  items: Item[];
  current: string;
  go: (item: Item) => void;
}

/** Every item, with what the learner has come to in it. */
function Contents({ course, items, current, go }: ContentsProps) {
  const results = useQuery({
    queryKey: ["scorm-results", course],
    queryFn: () =>
      take(api.GET("/api/v1/courses/{id}/scorm-results", { params: { path: { id: course }, query: { limit: "200" } } })),
  });
  const of = (item: Item) =>
    results.data?.data.findLast(({ relationships }) => {
      const shown = (relationships as { content?: { data?: { id?: string } } }).content?.data?.id;
      return shown !== undefined && item.lessons.includes(shown);
    })?.attributes;
  const sign = (item: Item) => {
    const result = of(item);
    if (result?.success === "passed") return "passed";
    if (result?.success === "failed") return "not passed";
    if (result?.completion === "completed") return "completed";
    return result ? "begun" : "";
  };
  return (
    <ol>
      {items.map((item) => (
        <li key={item.item}>
          <button
            type="button"
            aria-current={item.item === current ? "true" : undefined}
            disabled={item.item === current}
            onClick={() => go(item)}
          >
            <span>{item.title}</span> <small>{sign(item)}</small>
          </button>
        </li>
      ))}
    </ol>
  );
}
