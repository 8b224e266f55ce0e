import { createBrowserRouter, Navigate } from "react-router";
import { CataloguePage } from "../features/catalogue/catalogue-page";
import { GradingPage } from "../features/grading/grading-page";
import { IngestionPage } from "../features/ingestion/ingestion-page";
import { SourcePage } from "../features/lesson/source-page";
import { PackagePage } from "../features/package/package-page";
import { AttemptPage } from "../features/quiz/attempt-page";
import { QuizPage } from "../features/quiz/quiz-page";
import { BankPage } from "../features/review/bank-page";
import { SignInPage } from "../features/sign-in/sign-in-page";
import { ReviewsPage } from "../features/study/reviews-page";
import { SubmissionPage } from "../features/submission/submission-page";
import { SubmissionsPage } from "../features/submission/submissions-page";
import { Classroom } from "./classroom";
import { Course } from "./course";
import { NotHere, Shell } from "./shell";
import { Transcript } from "./transcript";

export const router = createBrowserRouter(
  [
    { path: "/sign-in", element: <SignInPage /> },
    {
      element: <Shell />,
      children: [
        { path: "/", element: <Navigate to="/courses" replace /> },
        { path: "/courses", element: <CataloguePage /> },
        { path: "/courses/:course", element: <Course /> },
        { path: "/courses/:course/questions", element: <BankPage /> },
        { path: "/courses/:course/grading", element: <GradingPage /> },
        { path: "/courses/:course/submissions", element: <SubmissionsPage /> },
        { path: "/courses/:course/submissions/:submission", element: <SubmissionPage /> },
        { path: "/courses/:course/quizzes/:quiz", element: <QuizPage /> },
        { path: "/courses/:course/quizzes/:quiz/attempts/:attempt", element: <AttemptPage /> },
        { path: "/courses/:course/source", element: <SourcePage /> },
        { path: "/reviews", element: <ReviewsPage /> },
        { path: "/courses/:course/ingestions", element: <IngestionPage /> },
        { path: "/courses/:course/lessons/:lesson", element: <Classroom /> },
        { path: "/courses/:course/lessons/:lesson/package", element: <PackagePage /> },
        { path: "/courses/:course/lessons/:lesson/transcript", element: <Transcript /> },
        { path: "*", element: <NotHere /> },
      ],
    },
  ],
  { basename: "/app" },
);
