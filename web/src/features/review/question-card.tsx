/** All that a reviewer has to see of a question, key and source included. */
import { Link } from "react-router";
import { inWords, written } from "../../api/place";
import { sourceLink } from "../../api/question";
import { Words } from "../../ui/words";
import { hardness, ORIGINS, TYPE_NAMES, type Body, type Choice, type Question } from "./bank";

export function QuestionCard({ question, course }: { question: Question; course: string }) {
  const { draft } = question;
  const { source, origin } = draft;
  return (
    <>
      <p className="facts-line">
        <span className="tag">{TYPE_NAMES[draft.body.type]}</span>
        {draft.bloom ? <span className="tag">{draft.bloom}</span> : null}
        {draft.difficulty !== null ? (
          <span className="tag">
            {hardness(draft.difficulty)}: about {Math.round(draft.difficulty * 100)} % fail
          </span>
        ) : null}
      </p>
      <p className="stem">
        <Words text={draft.stem} />
      </p>
      <Key body={draft.body} />
      {draft.lint.length > 0 ? (
        <>
          <h3>What to look at</h3>
          <ul className="lint">
            {draft.lint.map((flaw, n) => (
              <li key={n} className={flaw.hard ? "hard" : "soft"}>
                <b>{flaw.hard ? "Must be mended" : "Check"}:</b> {flaw.message}
              </li>
            ))}
          </ul>
        </>
      ) : null}
      <h3>Source</h3>
      {source ? (
        <blockquote className="source">
          <p>{source.quote}</p>
          <footer>
            <Link
              to={
                draft.lesson
                  ? `/courses/${course}/lessons/${draft.lesson}?at=${written(source.locator)}`
                  : sourceLink(course, source)
              }
            >
              {source.headingPath.join(" › ") || source.sourcePath}, {inWords(source.locator)}
            </Link>
          </footer>
        </blockquote>
      ) : (
        <p className="empty">No passage of the course is named for it.</p>
      )}
      {draft.hints.length > 0 ? (
        <details>
          <summary>Hints, weak to strong</summary>
          <ol>
            {draft.hints.map((hint) => (
              <li key={hint}>
                <Words text={hint} />
              </li>
            ))}
          </ol>
        </details>
      ) : null}
      <p className="quiet">
        {ORIGINS[origin.kind] ?? origin.kind}
        {origin.model ? ` (${origin.model})` : ""} · version {question.version}
      </p>
    </>
  );
}

function Options({ options, right }: { options: Choice[]; right: string[] }) {
  return (
    <ul className="key">
      {options.map(({ id, text, rationale }) => {
        const good = right.includes(id);
        return (
          <li key={id} className={good ? "good" : ""}>
            <span className="sign" aria-hidden="true">
              {good ? "✓" : "–"}
            </span>
            <span>
              <Words text={text} />
              {good ? <b className="right-word"> right answer</b> : null}
              {rationale ? (
                <small>
                  <Words text={rationale} />
                </small>
              ) : null}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

function Key({ body }: { body: Body }) {
  switch (body.type) {
    case "multiple_choice":
      return <Options options={body.options} right={[body.right]} />;
    case "multiple_answer":
      return <Options options={body.options} right={body.right} />;
    case "true_false":
      return (
        <Options
          options={[true, false].map((value) => ({
            id: String(value),
            text: value ? "True" : "False",
            rationale: value === body.right ? body.rationale : null,
          }))}
          right={[String(body.right)]}
        />
      );
    case "cloze":
      return (
        <p>
          {body.parts.map((part, n) => (
            <span key={n}>
              <Words text={part} />
              {body.blanks[n] ? <mark>{body.blanks[n].join(" / ")}</mark> : null}
            </span>
          ))}
        </p>
      );
    case "short_answer":
      return (
        <ul className="key">
          {body.accepted.map((text) => (
            <li key={text} className="good">
              <Sign /> {text}
            </li>
          ))}
          {body.reference ? <li>Others are judged by: {body.reference}</li> : null}
        </ul>
      );
    case "matching":
      return (
        <ul>
          {body.pairs.map(([left, right]) => (
            <li key={left}>
              <b>{body.left.find((one) => one.id === left)?.text}</b> goes with{" "}
              {body.right.find((one) => one.id === right)?.text}
            </li>
          ))}
        </ul>
      );
    case "ordering":
      return (
        <ol>
          {body.items.map((item) => (
            <li key={item.id}>
              <Words text={item.text} />
            </li>
          ))}
        </ol>
      );
    case "numeric":
      return (
        <p>
          <mark>
            {body.value} {body.unit}
          </mark>{" "}
          {body.tolerance > 0 ? `± ${body.tolerance}` : "exactly"}
        </p>
      );
    case "essay":
      return (
        <p>
          {body.leastWords ? `At least ${body.leastWords} words. ` : ""}
          {body.reference ? `A good answer: ${body.reference}` : "A person reads the answers."}
        </p>
      );
  }
}

function Sign() {
  return (
    <span className="sign" aria-hidden="true">
      ✓
    </span>
  );
}
