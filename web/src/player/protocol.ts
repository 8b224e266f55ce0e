/**
 * What the page of a lesson and the page that plays its package say to each other with `postMessage`. Types alone:
 * the two pages are of different origins and share no code.
 */

/** The first word of the player, before it knows the nonce. */
export interface Hello {
  lyceum: "hello";
}

/** The answer: what a session begins with. */
export interface Begin {
  lyceum: "begin";
  /** Comes back in everything that the player says. */
  nonce: string;
  edition: string;
  /** Every value of the data model by its name. */
  values: Record<string, string>;
  launchUrl: string;
  title: string;
  /** Where the learner may go from here. */
  next: boolean;
  previous: boolean;
  targets: string[];
}

/** Takes the package away, so that it can say its last words. */
export interface Leave {
  lyceum: "leave";
  nonce: string;
}

export type ToPlayer = Begin | Leave;

export type Said =
  | { lyceum: "set"; element: string; value: string }
  | { lyceum: "initialize" | "commit" | "left" }
  /** The session is over; `request` is what the script asked the system to do next. */
  | { lyceum: "terminate"; request: string };

export type ToApp = Hello | (Said & { nonce: string });
