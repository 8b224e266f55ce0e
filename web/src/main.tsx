import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router/dom";
import { Refused } from "./api/client";
import "./app/base.css";
import "./app/bank.css";
import "./app/quiz.css";
import "./app/grading.css";
import "./app/package.css";
import "./app/player.css";
import { router } from "./app/router";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      // Without a network a page says so at once, instead of waiting in silence.
      networkMode: "always",
      refetchOnReconnect: true,
      // A refusal stays one; only a server that was away is asked again.
      retry: (count, error) => count < 2 && !(error instanceof Refused && error.status < 500),
    },
    mutations: { networkMode: "always" },
  },
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
