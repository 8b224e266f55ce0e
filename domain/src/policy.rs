//! Rights: filled by the table of actions.
