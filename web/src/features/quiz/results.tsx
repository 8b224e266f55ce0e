/** The result of one attempt: the score, and for each question what was right and why. */
import { useQuery } from "@tanstack/react-query";
import { useId, type ReactNode } from "react";
import { Link } from "react-router";
import { api, take, type Schemas } from "../../api/client";
import { related } from "../../api/grading";
import { inWords as place } from "../../api/place";
import { inWords, named, sourceLink, type Answered, type Asked, type Source } from "../../api/question";
import { points } from "../../ui/plural";
import { Words } from "../../ui/words";
import { moment } from "../../ui/moment";
import { HintButton } from "./hint-button";

type Feedback = Omit<Schemas["FeedbackAttributes"], "rationales" | "response" | "source"> & {
  rationales: string[][];
  response?: unknown;
  source?: unknown;
};
type Result = Omit<Schemas["ResultAttributes"], "feedback"> & { feedback: Feedback[] };

interface Props {
  attempt: string;
  course: string;
  result: Result;
  title: string;
  /** Older attempts are folded away. */
  folded: boolean;
  /** When the quiz tells its results. */
  announced: string;
}

const LATER: Record<string, string> = {
  after_close: "Feedback is released later: the score and the right answers appear here when the quiz is closed.",
  never: "This quiz does not show scores or right answers.",
};

export function Results({ attempt, course, result, title, folded, announced }: Props) {
  const id = useId();
  const handedIn = result.submittedAt ? moment(result.submittedAt) : "";
  const body = (
    <>
      {result.released ? (
        <Score result={result} />
      ) : (
        <>
          <p className="empty">{LATER[announced] ?? "Feedback is released later."}</p>
          <Hints attempt={attempt} />
        </>
      )}
      {result.preview ? <p className="quiet">A try of yours as a teacher: it never counts.</p> : null}
      {result.feedback.length > 0 ? <Told attempt={attempt} course={course} all={result.feedback} /> : null}
    </>
  );
  if (folded) {
    return (
      <details className="result">
        <summary>
          {title} <span className="quiet">{handedIn}</span>
        </summary>
        {body}
      </details>
    );
  }
  return (
    <section className="result" aria-labelledby={id}>
      <h2 id={id}>
        {title} <small className="quiet">{handedIn}</small>
      </h2>
      {body}
    </section>
  );
}

function Score({ result: { score, most, needsPerson } }: { result: Result }) {
  return (
    <>
      {score != null && most != null ? (
        <p className="score">
          <strong>
            {points(score)} of {points(most)}
          </strong>{" "}
          {most === 1 ? "point" : "points"}
          {needsPerson ? " so far" : ""}
        </p>
      ) : null}
      {needsPerson ? (
        <p className="notice">Part of it waits for a person to read it; those points are not counted yet.</p>
      ) : null}
    </>
  );
}

/** What was asked in an attempt; the texts of options are there and not with the feedback. */
function useAsked(attempt: string): Asked[] {
  const taken = useQuery({
    queryKey: ["taken", attempt],
    queryFn: () => take(api.GET("/api/v1/attempts/{id}", { params: { path: { id: attempt } } })),
    staleTime: Infinity,
    retry: false,
  });
  return (taken.data?.data.attributes.questions ?? []).map((one) => one.asked as unknown as Asked);
}

function Hints({ attempt }: { attempt: string }) {
  const asked = useAsked(attempt);
  if (asked.length === 0) return null;
  return (
    <details>
      <summary>Hints for these questions</summary>
      <ol className="feedback">
        {asked.map(({ id, stem }) => (
          <li key={id}>
            <h3>
              <Words text={stem} />
            </h3>
            <HintButton question={id} />
          </li>
        ))}
      </ol>
    </details>
  );
}

/** Texts that a person reads, by question; the newest of the same words. */
function useHandedIn(course: string, wanted: boolean) {
  const found = useQuery({
    queryKey: ["handed-in", course],
    queryFn: () =>
      take(api.GET("/api/v1/courses/{id}/submissions", { params: { path: { id: course }, query: { limit: "200" } } })),
    enabled: wanted,
    retry: false,
  });
  return (question: string, text: string) =>
    found.data?.data.findLast(
      (one) => related(one, "question") === question && one.attributes.text.trim() === text.trim(),
    );
}

function Told({ attempt, course, all }: { attempt: string; course: string; all: Feedback[] }) {
  const asked = new Map(useAsked(attempt).map((one) => [one.id, one] as const));
  const written = (one: Feedback) => {
    const given = one.response as Answered | null;
    return given?.type === "text" ? given.text : "";
  };
  const handedIn = useHandedIn(course, all.some((one) => written(one) !== ""));
  return (
    <ol className="feedback">
      {all.map((one, n) => (
        <One key={one.questionId} number={n + 1} told={one} asked={asked.get(one.questionId)} course={course}>
          <Read course={course} found={written(one) ? handedIn(one.questionId, written(one)) : undefined} />
        </One>
      ))}
    </ol>
  );
}

function verdict(fraction: number | null | undefined): [string, string] {
  if (fraction == null) return ["open", "Waits for a person"];
  if (fraction >= 1) return ["right", "Right"];
  if (fraction > 0) return ["part", "Right in part"];
  return ["wrong", "Not right"];
}

/** The way to the grade of a text, once it is released. */
function Read({ course, found }: { course: string; found?: { id: string; attributes: { grade?: unknown } } }) {
  if (!found) return null;
  return (
    <p>
      <Link to={`/courses/${course}/submissions/${found.id}`}>
        {found.attributes.grade ? "Read the grade: levels, passages, comments" : "What you handed in"}
      </Link>
    </p>
  );
}

interface OneProps {
  children: ReactNode;
  number: number;
  told: Feedback;
  asked: Asked | undefined;
  course: string;
}

function One({ number, told, asked, course, children }: OneProps) {
  const [kind, says] = verdict(told.fraction);
  const given = inWords(asked, told.response as Answered | null);
  const source = told.source as Source | null | undefined;
  return (
    <li className={kind}>
      <h3>
        {number}. <Words text={told.stem} />
      </h3>
      {asked?.type === "cloze" ? <p className="quiet">{asked.parts.join("____")}</p> : null}
      <p>
        <span className={`verdict ${kind}`}>{says}</span>{" "}
        {told.fraction == null
          ? `Up to ${points(told.points)}`
          : `${points(told.fraction * told.points)} of ${points(told.points)}`}{" "}
        {told.points === 1 ? "point" : "points"}
      </p>
      <dl>
        <div>
          <dt>Your answer</dt>
          <dd>{given.length > 0 ? <List texts={given} ordered={asked?.type === "ordering"} /> : "None"}</dd>
        </div>
        {told.key.length > 0 ? (
          <div>
            <dt>{told.fraction == null ? "A good answer" : "The right answer"}</dt>
            <dd>
              <List texts={told.key} ordered={asked?.type === "ordering"} />
            </dd>
          </div>
        ) : null}
      </dl>
      {children}
      {told.rationales.length > 0 ? (
        <details open={kind !== "right"}>
          <summary>Why</summary>
          <ul>
            {told.rationales.map(([id = "", why = ""]) => (
              <li key={id}>
                {named(asked, id) ? (
                  <>
                    <b>
                      <Words text={named(asked, id)} />
                    </b>
                    :{" "}
                  </>
                ) : null}
                <Words text={why} />
              </li>
            ))}
          </ul>
        </details>
      ) : null}
      {source ? (
        <p className="from">
          <q>{source.quote}</q>{" "}
          <Link to={sourceLink(course, source)}>
            {source.headingPath.at(-1) ?? source.sourcePath}, {place(source.locator)}
          </Link>
        </p>
      ) : null}
      {told.fraction != null && told.fraction < 1 && told.key.length === 0 ? (
        <HintButton question={told.questionId} />
      ) : null}
    </li>
  );
}

function List({ texts, ordered }: { texts: string[]; ordered: boolean }) {
  if (texts.length === 1) return <Words text={texts[0] ?? ""} />;
  const items = texts.map((text, n) => (
    <li key={n}>
      <Words text={text} />
    </li>
  ));
  return ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
}
