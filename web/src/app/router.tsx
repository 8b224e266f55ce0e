import { createBrowserRouter, Navigate } from "react-router";
import { CataloguePage } from "../features/catalogue/catalogue-page";
import { CoursePage } from "../features/course/course-page";
import { IngestionPage } from "../features/ingestion/ingestion-page";
import { SignInPage } from "../features/sign-in/sign-in-page";
import { Classroom } from "./classroom";
import { NotHere, Shell } from "./shell";

export const router = createBrowserRouter(
  [
    { path: "/sign-in", element: <SignInPage /> },
    {
      element: <Shell />,
      children: [
        { path: "/", element: <Navigate to="/courses" replace /> },
        { path: "/courses", element: <CataloguePage /> },
        { path: "/courses/:course", element: <CoursePage /> },
        { path: "/courses/:course/ingestions", element: <IngestionPage /> },
        { path: "/courses/:course/lessons/:lesson", element: <Classroom /> },
        { path: "*", element: <NotHere /> },
      ],
    },
  ],
  { basename: "/app" },
);
