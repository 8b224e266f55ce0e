/** A lesson with the tutor beside it. The features do not know each other; this page joins them. */
import { useCallback } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { parsed, written } from "../api/place";
import { LessonReader } from "../features/lesson/lesson-reader";
import { TutorPanel, type Cited } from "../features/tutor/tutor-panel";

export function Classroom() {
  const { course = "", lesson = "" } = useParams();
  const [search] = useSearchParams();
  const navigate = useNavigate();
  const at = parsed(search.get("at"));
  const open = useCallback(
    ({ lessonId, locator }: Cited) => {
      const target = lessonId ?? lesson;
      // A new key of the same place scrolls there again.
      void navigate(`/courses/${course}/lessons/${target}?at=${written(locator)}`, { state: { asked: Date.now() } });
    },
    [course, lesson, navigate],
  );
  return (
    <div className="classroom">
      <LessonReader key={lesson} course={course} lesson={lesson} at={at} />
      <TutorPanel course={course} onOpen={open} />
    </div>
  );
}
