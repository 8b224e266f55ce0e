import { useMutation } from "@tanstack/react-query";
import { useEffect, useId, useRef, type FormEvent } from "react";
import { Navigate, useLocation } from "react-router";
import { api, Refused, take } from "../../api/client";
import { begin, useSignedIn } from "../../api/session";
import mark from "../../ui/mark.svg";

export function SignInPage() {
  const signedIn = useSignedIn();
  const from = (useLocation().state as { from?: string } | null)?.from ?? "/courses";
  const id = useId();
  const failed = useRef<HTMLParagraphElement>(null);
  const login = useMutation({
    mutationFn: (body: { username: string; password: string; institution?: string }) =>
      take(api.POST("/api/v1/auth/login", { body })),
    onSuccess: (answer) => begin(answer.data.attributes),
  });
  useEffect(() => {
    document.title = "Sign in – Lyceum";
  }, []);
  useEffect(() => {
    if (login.isError) failed.current?.focus();
  }, [login.isError, login.submittedAt]);
  if (signedIn) return <Navigate to={from} replace />;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "");
    const institution = text("institution").trim();
    login.mutate({
      username: text("username").trim(),
      password: text("password"),
      ...(institution ? { institution } : {}),
    });
  };
  const refused = login.error instanceof Refused ? login.error : null;
  return (
    <main className="sign-in">
      <form onSubmit={submit}>
        <img src={mark} alt="" width="44" height="44" />
        <h1>Sign in to Lyceum</h1>
        {login.isError ? (
          <p className="problem" role="alert" tabIndex={-1} ref={failed}>
            {refused ? `${refused.message}.` : "The server does not answer. Check the connection and try again."}
          </p>
        ) : null}
        <label htmlFor={`${id}-institution`}>
          Institution <small>(its short name; leave empty if there is only one)</small>
        </label>
        <input id={`${id}-institution`} name="institution" autoComplete="organization" autoCapitalize="none" />
        <label htmlFor={`${id}-username`}>Login name</label>
        <input id={`${id}-username`} name="username" autoComplete="username" autoCapitalize="none" required />
        <label htmlFor={`${id}-password`}>Password</label>
        <input id={`${id}-password`} name="password" type="password" autoComplete="current-password" required />
        <button type="submit" className="main" disabled={login.isPending}>
          {login.isPending ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
