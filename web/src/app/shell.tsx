import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Link, Navigate, Outlet, ScrollRestoration, useLocation } from "react-router";
import { api, take } from "../api/client";
import { forget, useSignedIn } from "../api/session";
import { useOnline } from "../ui/online";
import mark from "../ui/mark.svg";

export function Shell() {
  const signedIn = useSignedIn();
  const online = useOnline();
  const queries = useQueryClient();
  const { pathname } = useLocation();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const session = useQuery({
    queryKey: ["session"],
    queryFn: () => take(api.GET("/api/v1/auth/session")),
    enabled: signedIn,
  });
  useEffect(() => {
    // A new page begins at its top for keyboards and screen readers too.
    if (first.current) first.current = false;
    else main.current?.focus({ preventScroll: true });
  }, [pathname]);
  if (!signedIn) return <Navigate to="/sign-in" state={{ from: pathname }} replace />;
  const leave = () => {
    void api.POST("/api/v1/auth/logout").finally(() => {
      forget();
      queries.clear();
    });
  };
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="bar">
        <Link className="brand" to="/courses">
          <img src={mark} alt="" width="28" height="28" /> <span>Lyceum</span>
        </Link>
        <nav aria-label="Main">
          <Link to="/courses">Courses</Link>
          <Link to="/reviews">Reviews</Link>
        </nav>
        <span className="who">{session.data?.data.attributes.username}</span>
        <button type="button" className="quiet" onClick={leave}>
          Sign out
        </button>
      </header>
      <div role="status">
        {online ? null : (
          <p className="offline">
            You are offline. What you see may be out of date; answers of a quiz are kept on this page and saved when the
            connection is back.
          </p>
        )}
      </div>
      <main id="main" ref={main} tabIndex={-1}>
        <Outlet />
      </main>
      <ScrollRestoration />
    </>
  );
}

export function NotHere() {
  return (
    <div className="page">
      <h1>There is no such page</h1>
      <p>
        The address may be mistyped, or the page was moved. <Link to="/courses">Go to your courses</Link>
      </p>
    </div>
  );
}
