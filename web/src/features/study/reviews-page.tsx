/** Questions to remember: one card at a time; who looks at the answer says how well it was known. */
import { useMutation, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link } from "react-router";
import { api, take } from "../../api/client";
import { sourceLink, type Source } from "../../api/question";
import { plural } from "../../ui/plural";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";
import { Words } from "../../ui/words";

interface Known {
  stem: string;
  key: string[];
  source?: Source | null;
}

const RATINGS: [string, string, string][] = [
  ["again", "Again", "I did not know it"],
  ["hard", "Hard", "I got there with an effort"],
  ["good", "Good", "I knew it"],
  ["easy", "Easy", "I knew it at once"],
];

function related(one: { relationships: unknown }, name: string): string | undefined {
  return (one.relationships as Record<string, { data?: { id?: string } } | undefined>)[name]?.data?.id;
}

/** The words of questions stand in the released results of one's own quizzes, and nowhere else. */
function useKnown(courses: string[]) {
  const lists = useQueries({
    queries: courses.map((course) => ({
      queryKey: ["quizzes", course],
      queryFn: () =>
        take(
          api.GET("/api/v1/courses/{id}/assessments", { params: { path: { id: course }, query: { limit: "200" } } }),
        ),
    })),
  });
  const quizzes = lists.flatMap((list) => list.data?.data.map(({ id }) => id) ?? []);
  const results = useQueries({
    queries: quizzes.map((quiz) => ({
      queryKey: ["results", quiz],
      queryFn: () => take(api.GET("/api/v1/assessments/{id}/results", { params: { path: { id: quiz } } })),
    })),
  });
  const known = new Map<string, Known>();
  for (const { data } of results) {
    for (const { attributes } of data?.data ?? []) {
      for (const { questionId, stem, key, source } of attributes.feedback) {
        const before = known.get(questionId);
        if (!before || before.key.length === 0) known.set(questionId, { stem, key, source: source as unknown as Source });
      }
    }
  }
  return { known, looking: [...lists, ...results].some((one) => one.isLoading) };
}

export function ReviewsPage() {
  const queries = useQueryClient();
  const card = useRef<HTMLHeadingElement>(null);
  const [shown, setShown] = useState(false);
  const [said, say] = useState("");
  useTitle("Reviews");
  const due = useQuery({ queryKey: ["reviews"], queryFn: () => take(api.GET("/api/v1/reviews/due")) });
  const all = due.data?.data ?? [];
  const courses = [...new Set(all.flatMap((one) => related(one, "course") ?? []))].sort();
  const { known, looking } = useKnown(courses);
  const now = all[0];
  const course = now ? (related(now, "course") ?? "") : "";
  const lesson = now ? related(now, "content") : undefined;
  const words = now ? known.get(now.id) : undefined;
  const rate = useMutation({
    mutationFn: ({ question, rating }: { question: string; rating: string }) =>
      take(api.POST("/api/v1/reviews/{question}", { params: { path: { question } }, body: { rating } })),
    onSuccess: async ({ data }) => {
      const days = Math.max(0, Math.round((Date.parse(data.attributes.dueAt) - Date.now()) / 86_400_000));
      say(days === 0 ? "Noted. It comes again today." : `Noted. It comes again in ${plural(days, "day")}.`);
      setShown(false);
      await queries.invalidateQueries({ queryKey: ["reviews"] });
      card.current?.focus();
    },
  });
  useEffect(() => setShown(false), [now?.id]);
  return (
    <div className="page">
      <h1>Reviews</h1>
      <p className="lead">Questions that you answered once, at the moment when you are about to forget them.</p>
      <p className="said" role="status">
        {said}
      </p>
      {due.isPending ? <Waiting what="what is due" /> : null}
      {due.isError ? (
        <Problem title="The reviews cannot be shown" error={due.error} retry={() => void due.refetch()} />
      ) : null}
      {due.isSuccess && all.length === 0 ? (
        <p className="empty">
          Nothing is due now. Questions come here some time after you answered them in a quiz.{" "}
          <Link to="/courses">Go to your courses</Link>
        </p>
      ) : null}
      {now ? (
        <section className="card" aria-labelledby="review">
          <p className="quiet">
            {plural(all.length, "question")} due · answered {plural(now.attributes.answers, "time")}
            {now.attributes.lapses > 0 ? `, ${now.attributes.lapses} of them not right` : ""} · chance that you still
            know it: {Math.round(now.attributes.recall * 100)} %
          </p>
          <h2 id="review" ref={card} tabIndex={-1}>
            {words ? <Words text={words.stem} /> : looking ? "…" : "A question of a quiz whose words are not released"}
          </h2>
          {!words && !looking ? (
            <p>
              Recall what {lesson ? <Link to={`/courses/${course}/lessons/${lesson}`}>its lesson</Link> : "its lesson"}{" "}
              says, then tell how well you knew it.
            </p>
          ) : null}
          {words && !shown ? (
            <p>
              <button type="button" className="main" onClick={() => setShown(true)}>
                Show the answer
              </button>{" "}
              <span className="quiet">Say it to yourself first.</span>
            </p>
          ) : null}
          {words && shown ? (
            <>
              <p className="answer" role="status">
                {words.key.length > 0 ? <Words text={words.key.join("; ")} /> : "The answer is not released."}
              </p>
              {words.source ? (
                <p className="from">
                  <q>{words.source.quote}</q>{" "}
                  <Link to={sourceLink(course, words.source)}>{words.source.headingPath.at(-1) ?? "The lesson"}</Link>
                </p>
              ) : null}
            </>
          ) : null}
          {rate.isError ? <Problem title="This was not noted" error={rate.error} /> : null}
          {shown || (!words && !looking) ? (
            <fieldset className="ratings">
              <legend>How well did you know it?</legend>
              {RATINGS.map(([rating, name, means]) => (
                <button
                  key={rating}
                  type="button"
                  disabled={rate.isPending}
                  onClick={() => rate.mutate({ question: now.id, rating })}
                >
                  <b>{name}</b> <small>{means}</small>
                </button>
              ))}
            </fieldset>
          ) : null}
        </section>
      ) : null}
    </div>
  );
}
