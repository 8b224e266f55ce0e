//! The ladder of hints: what it unlocks, and what its rungs say.

use domain::assessment::unlocked;
use domain::policy::{Action, Actor, Subject};
use domain::question::Question;
use domain::{Error, ErrorKind, QuestionId};
use serde::{Deserialize, Serialize};
use store::sql::{self};

use super::Attempts;
use crate::{Result, access};

/// A hint was asked for before any answer was tried.
pub const NO_HINT_YET: &str = "NO_HINT_YET";
/// A rung of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hint {
    /// 0 a nudge, 1 the place, 2 a worked part, 3 the answer.
    pub rung: i64,
    /// The hint.
    pub text: String,
}

impl Attempts<'_> {
    /// The highest hint that wrong answers and days have unlocked. The answer itself stays closed while the
    /// question is being taken, and while a published quiz withholds its key.
    ///
    /// # Errors
    /// Not found, or no answer was tried yet.
    pub async fn hint(&self, actor: &Actor, id: QuestionId) -> Result<Hint> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let missing =
                        || if acting.is_guest() { access::log_in() } else { Error::not_found("question", id) };
                    let (question, course) = crate::question::find(tx, &acting, id).await?;
                    let user = acting.user_id.ok_or_else(missing)?;
                    let subject = Subject { user: Some(user), ..crate::course::subject(&course) };
                    access::hidden(&acting, Action::AttemptTake, &subject, missing)?;
                    access::hidden(&acting, crate::course::read(&course), &subject, missing)?;
                    if question.state != domain::question::State::Live {
                        return Err(missing().into());
                    }
                    let now = tx.now().await?;
                    let institution = course.institution_id;
                    let wrong = sql::attempt::wrong(tx, institution, user, id).await?;
                    let (count, first) = wrong.map_or((0, None), |(count, first)| (count, Some(first)));
                    let mut rung = unlocked(count, first, now);
                    let teaches = access::may(&acting, Action::AttemptTake, &crate::course::subject(&course));
                    if teaches {
                        // Whoever gets previews reads the bank, and sees what its learners will.
                        rung = domain::assessment::RUNGS;
                    }
                    let withheld = sql::question::is_withheld(tx, institution, id, now).await?;
                    if !teaches && (withheld || sql::attempt::is_being_taken(tx, institution, user, id).await?) {
                        rung = rung.min(domain::assessment::RUNGS - 1);
                    }
                    if rung < 0 {
                        let message = "try it first: hints begin after a wrong answer";
                        return Err(Error::new(ErrorKind::Conflict, message).with_code(NO_HINT_YET).into());
                    }
                    Ok(Hint { rung, text: rung_text(&question, rung) })
                })
            })
            .await
    }
}

/// The text of a rung. Only the last one tells the key.
fn rung_text(question: &Question, rung: i64) -> String {
    let draft = &question.draft;
    let key = draft.body.key();
    let written = usize::try_from(rung).ok().and_then(|rung| draft.hints.get(rung));
    if rung < domain::assessment::RUNGS
        && let Some(hint) = written.filter(|hint| !tells(hint, &key))
    {
        return hint.clone();
    }
    let headings = draft.source.as_ref().map(|source| source.heading_path.join(" > ")).unwrap_or_default();
    match (rung, &draft.source) {
        (0, _) => "Read the question once more: which word of it decides? Say what it means before you answer.".into(),
        (1, Some(source)) => format!("Look at \"{headings}\" in {}.", source.source_path),
        (2, Some(source)) => format!("The course says: \"{}\"", hide(&source.quote, &key)),
        (3, _) => format!("The answer: {}.", key.join("; ")),
        _ => "There is no more than the lesson itself: read it again from its start.".into(),
    }
}

fn tells(text: &str, key: &[String]) -> bool {
    let text = text.to_lowercase();
    key.iter().any(|part| !part.is_empty() && text.contains(&part.to_lowercase()))
}

/// The quote with what the key says left out, word by word.
fn hide(quote: &str, key: &[String]) -> String {
    let stems: std::collections::HashSet<String> = key.iter().flat_map(|part| domain::text::terms(part)).collect();
    let hidden = |word: &str| domain::text::terms(word).iter().any(|term| stems.contains(term));
    quote.split(' ').map(|word| if hidden(word) { "____" } else { word }).collect::<Vec<_>>().join(" ")
}
