/** A course's page with what the features know of it. */
import { useParams } from "react-router";
import { CoursePage } from "../features/course/course-page";
import { QuizList } from "../features/quiz/quiz-list";
import { MasteryPanel } from "../features/study/mastery-panel";

export function Course() {
  const { course = "" } = useParams();
  return <CoursePage above={<QuizList course={course} />} below={<MasteryPanel course={course} />} />;
}
