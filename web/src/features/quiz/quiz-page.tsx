/** A quiz before and after it is taken: what it asks for, the way in, one's results. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useLocation, useNavigate, useParams } from "react-router";
import { api, take } from "../../api/client";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";
import { facts, isOpen, standing } from "./facts";
import { Results } from "./results";

const TOLD: Record<string, string> = {
  after_submit: "Score and feedback are shown as soon as you hand in.",
  after_close: "Score and feedback are shown when the quiz is closed.",
  never: "Score and feedback of this quiz are not shown.",
};

/** The attempt that this tab began; only for the word on the button. */
const begun = (quiz: string) => `lyceum.attempt.${quiz}`;

export function QuizPage() {
  const { course = "", quiz = "" } = useParams();
  const navigate = useNavigate();
  const handedIn = (useLocation().state as { handedIn?: string } | null)?.handedIn;
  const path = { params: { path: { id: quiz } } };
  const card = useQuery({
    queryKey: ["quiz", quiz],
    queryFn: () => take(api.GET("/api/v1/assessments/{id}", path)),
  });
  const session = useQuery({ queryKey: ["session"], queryFn: () => take(api.GET("/api/v1/auth/session")) });
  const results = useQuery({
    queryKey: ["results", quiz],
    queryFn: () => take(api.GET("/api/v1/assessments/{id}/results", path)),
  });
  const start = useMutation({
    mutationFn: () => take(api.POST("/api/v1/assessments/{id}/attempts", path)),
    onSuccess: ({ data }) => {
      sessionStorage.setItem(begun(quiz), data.id);
      void navigate(`attempts/${data.id}`);
    },
  });
  const attributes = card.data?.data.attributes;
  useTitle(attributes?.title ?? "Quiz");
  const me = session.data?.data.id;
  const whose = (one: { relationships: unknown }) =>
    (one.relationships as { user?: { data?: { id?: string } } }).user?.data?.id;
  const all = results.data?.data ?? [];
  const mine = all.filter((one) => whose(one) === me).reverse();
  const others = all.filter((one) => whose(one) !== me && !one.attributes.preview);
  const kept = sessionStorage.getItem(begun(quiz));
  const goesOn = kept !== null && !all.some((one) => one.id === kept);
  const counted = mine.filter((one) => !one.attributes.preview).length;
  const used = attributes?.attemptsAllowed != null && counted >= attributes.attemptsAllowed && !goesOn;
  const takes = session.data?.data.attributes.roles.some(
    ({ role, scopeId }) => scopeId === course && role === "learner",
  );
  const teaches = session.data?.data.attributes.roles.some(
    ({ role, scopeId }) => scopeId === course && (role === "instructor" || role === "teaching_assistant"),
  );
  return (
    <div className="page">
      <p>
        <Link to={`/courses/${course}`}>← The course</Link>
      </p>
      {card.isPending ? <Waiting what="the quiz" /> : null}
      {card.isError ? (
        <Problem title="This quiz cannot be shown" error={card.error} retry={() => void card.refetch()} />
      ) : null}
      {attributes ? (
        <>
          <h1>{attributes.title}</h1>
          <p className="lead">
            {facts(attributes)} · <span className="tag">{standing(attributes)}</span>
          </p>
          {handedIn ? (
            <p className="done" role="status">
              {handedIn === "late"
                ? "The time was over: what was saved until then is handed in."
                : "Handed in. Your answers are with the school."}
            </p>
          ) : null}
          <p>
            {attributes.timeLimitSeconds ? "The clock starts with the attempt and runs on while you are away. " : ""}
            Each answer is saved as you give it. {TOLD[attributes.feedback] ?? ""}
          </p>
          {start.isError ? <Problem title="The quiz did not start" error={start.error} /> : null}
          {session.isSuccess && !takes && !teaches ? (
            <p className="empty">Learners take this quiz who are enrolled in the course.</p>
          ) : (isOpen(attributes) || teaches) && !used ? (
            <p>
              <button type="button" className="main" disabled={start.isPending} onClick={() => start.mutate()}>
                {start.isPending
                  ? "Opening…"
                  : goesOn
                    ? "Continue the attempt"
                    : teaches
                      ? "Try it (does not count)"
                      : mine.length > 0
                        ? "Take it again"
                        : "Start the quiz"}
              </button>
            </p>
          ) : (
            <p className="empty">
              {used
                ? "You have used all attempts at this quiz."
                : "This quiz takes no attempts now. Its results stay here."}
            </p>
          )}
          {results.isPending ? <Waiting what="your results" /> : null}
          {results.isError ? (
            <Problem title="The results cannot be shown" error={results.error} retry={() => void results.refetch()} />
          ) : null}
          {others.length > 0 ? <Class all={others.map((one) => one.attributes)} /> : null}
          {mine.map(({ id, attributes: result }, index) => (
            <Results
              key={id}
              attempt={id}
              course={course}
              result={result}
              title={mine.length > 1 ? `Attempt ${mine.length - index}` : "Your result"}
              folded={index > 0}
              announced={attributes.feedback}
            />
          ))}
        </>
      ) : null}
    </div>
  );
}

/** What those who teach see at a glance. */
function Class({ all }: { all: { score?: number | null; most?: number | null; needsPerson: boolean }[] }) {
  const marked = all.flatMap(({ score, most }) => (score != null && most ? [score / most] : []));
  const mean = marked.reduce((sum, share) => sum + share, 0) / (marked.length || 1);
  const waiting = all.filter((one) => one.needsPerson).length;
  return (
    <section aria-labelledby="class">
      <h2 id="class">The class</h2>
      <p>
        {all.length === 1 ? "One attempt was" : `${all.length} attempts were`} handed in
        {marked.length > 0 ? `, ${Math.round(mean * 100)} % of the points on average` : ""}.
        {waiting > 0 ? ` ${waiting} of them wait for a person to judge.` : ""}
      </p>
    </section>
  );
}
