//! `lyceum recommend`, `mastery`, `review` and `prerequisite`.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use domain::policy::Actor;
use domain::recommendation::{Mastery, Prerequisite, Recommendations, Review};
use domain::{CourseId, Error, LessonId, UserId};
use recommender::review::Rating;
use school::lesson::Outline;
use serde_json::json;
use store::sql::learning::Edit;

use crate::args::{MasteryArgs, PrerequisiteCommand, RecommendArgs, ReviewCommand};
use crate::command::Context;
use crate::exit::{Failure, OK, Result};

pub(crate) async fn run(context: &Context<'_>, arguments: &RecommendArgs) -> Result<u8> {
    let actor = context.actor().await?;
    let course = course(context, &actor, &arguments.course).await?;
    let user = learner(context, &actor, arguments.user.as_deref()).await?;
    let found = context.node.recommender.recommend(&actor, course, user, arguments.limit).await?;
    context.out.result(&found, |found| shown(found, arguments.why));
    Ok(OK)
}

pub(crate) async fn mastery(context: &Context<'_>, arguments: &MasteryArgs) -> Result<u8> {
    let actor = context.actor().await?;
    let course = course(context, &actor, &arguments.course).await?;
    let user = learner(context, &actor, arguments.user.as_deref()).await?;
    let found = context.node.recommender.mastery(&actor, course, user).await?;
    context.out.result(&json!({ "mastery": found }), |_| mastery_table(&found));
    Ok(OK)
}

pub(crate) async fn prerequisite(context: &Context<'_>, command: &PrerequisiteCommand) -> Result<u8> {
    let actor = context.actor().await?;
    let (slug, change) = match command {
        PrerequisiteCommand::List { course } => (course, None),
        PrerequisiteCommand::Set { lesson, needs, course } => (course, Some((lesson, needs, true))),
        PrerequisiteCommand::Remove { lesson, needs, course } => (course, Some((lesson, needs, false))),
    };
    let course = course(context, &actor, slug).await?;
    let outline = context.node.school.lesson().outline(&actor, course).await?;
    match change {
        None => {
            let found = context.node.recommender.prerequisites(&actor, course).await?;
            context.out.result(&json!({ "prerequisites": found }), |_| prerequisite_table(&outline, &found));
        }
        Some((lesson, needs, required)) => {
            let edit = Edit { lesson: lesson_of(&outline, lesson)?, needs: lesson_of(&outline, needs)?, required };
            let edit = context.node.school.learning().set_prerequisite(&actor, course, edit).await?;
            let made = json!({ "lesson": edit.lesson, "needs": edit.needs, "required": edit.required });
            let verb = if required { "needs" } else { "does not need" };
            context.out.result(&made, |_| {
                format!(
                    "\u{201c}{}\u{201d} {verb} \u{201c}{}\u{201d}",
                    title(&outline, edit.lesson),
                    title(&outline, edit.needs)
                )
            });
        }
    }
    Ok(OK)
}

pub(crate) async fn review(context: &Context<'_>, command: &ReviewCommand) -> Result<u8> {
    let actor = context.actor().await?;
    if actor.operator {
        return Err(Failure::usage("reviews are a learner's own: name one with --as USER"));
    }
    let recommender = &context.node.recommender;
    match command {
        ReviewCommand::Due => {
            let (due, waiting) = recommender.due(&actor).await?;
            context.out.result(&json!({ "reviews": due, "waiting": waiting }), |_| due_table(&due, waiting));
        }
        ReviewCommand::Answer { question, rating } => {
            let rating = Rating::parse(rating).ok_or_else(|| Failure::usage("no such rating"))?;
            let review = recommender.review(&actor, question, rating).await?;
            context.out.result(&review, |review| {
                format!("remembered for about {:.0} days; answered {} times", review.stability, review.answers)
            });
        }
    }
    Ok(OK)
}

fn due_table(due: &[Review], waiting: usize) -> String {
    if due.is_empty() {
        return format!("Nothing is due; {waiting} questions wait for their day.");
    }
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["question", "recall", "answered", "wrong"]);
    for one in due {
        let recall = format!("{:.0} %", one.recall * 100.0);
        table.add_row([one.question.clone(), recall, one.answers.to_string(), one.lapses.to_string()]);
    }
    table.to_string()
}

async fn course(context: &Context<'_>, actor: &Actor, slug: &str) -> Result<CourseId> {
    Ok(context.node.school.course().by_slug(actor, actor.institution, slug).await?.id)
}

/// The learner of a login name or id; the operator, who learns nothing, must name one.
pub(crate) async fn learner(context: &Context<'_>, actor: &Actor, name: Option<&str>) -> Result<Option<UserId>> {
    let Some(name) = name else { return Ok(None) };
    if let Ok(id) = name.parse() {
        return Ok(Some(id));
    }
    if actor.username == name {
        return Ok(actor.user_id);
    }
    Ok(Some(context.node.school.user().by_username(actor, actor.institution, name).await?.user.id))
}

/// A lesson by its id or its title.
fn lesson_of(outline: &Outline, name: &str) -> Result<LessonId> {
    let lessons = || outline.modules.iter().flat_map(|(_, lessons)| lessons);
    let named: Vec<LessonId> = lessons()
        .filter(|lesson| lesson.id.to_string() == name || lesson.title.eq_ignore_ascii_case(name))
        .map(|lesson| lesson.id)
        .collect();
    match named.as_slice() {
        [only] => Ok(*only),
        [] => Err(Error::not_found("lesson", name).into()),
        several => Err(Failure::usage(format!("{} lessons are called \"{name}\": name one by its id", several.len()))),
    }
}

fn title(outline: &Outline, id: LessonId) -> String {
    let mut lessons = outline.modules.iter().flat_map(|(_, lessons)| lessons);
    lessons.find(|lesson| lesson.id == id).map_or_else(|| id.to_string(), |lesson| lesson.title.clone())
}

fn shown(found: &Recommendations, why: bool) -> String {
    if found.items.is_empty() {
        return "Nothing to do: all is read, nothing is weak and nothing is due.".into();
    }
    let mut text = String::new();
    for (rank, item) in (1..).zip(&found.items) {
        text.push_str(&format!("{rank}. {}\n   {}\n", item.title, item.reason.text));
        if why {
            let numbers: Vec<String> =
                item.reason.numbers.iter().map(|(name, value)| format!("{name} {value}")).collect();
            text.push_str(&format!("   {}: {}; score {}\n", item.reason.code.as_str(), numbers.join(", "), item.score));
        }
    }
    text
}

fn mastery_table(found: &[Mastery]) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["concept", "mastery", "model", "right", "answers"]);
    for row in found {
        let concept = if row.whole_lesson { row.concept.clone() } else { format!("  {}", row.concept) };
        let model = json!(row.model);
        let (right, answers) = (row.correct.to_string(), row.answers.to_string());
        let mastery = format!("{:.0} %", row.mastery * 100.0);
        table.add_row([concept, mastery, model.as_str().unwrap_or_default().to_owned(), right, answers]);
    }
    table.to_string()
}

fn prerequisite_table(outline: &Outline, found: &[Prerequisite]) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["lesson", "needs", "because of", "evidence"]);
    for one in found {
        let origin = json!(one.origin);
        let origin = origin.as_str().unwrap_or_default();
        let origin = if one.required { origin.to_owned() } else { format!("{origin}: not needed") };
        table.add_row([title(outline, one.lesson), title(outline, one.needs), origin, one.evidence.join(", ")]);
    }
    table.to_string()
}
