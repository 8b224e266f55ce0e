//! `lyceum course`.

use domain::course::Course;
use domain::policy::Actor;
use school::course::{CourseChange, CourseQuery, NewCourse};
use serde::Serialize;

use crate::args::{AiCommand, CourseCommand};
use crate::command::Context;
use crate::exit::{OK, Result};

/// Courses read at a time.
const PAGE: i64 = 100;

#[derive(Serialize)]
struct Listed {
    slug: String,
    title: String,
    status: String,
    visibility: String,
    lessons: i64,
    chunks: i64,
}

/// All courses that the caller may see.
pub(crate) async fn every(context: &Context<'_>, actor: &Actor) -> Result<Vec<Course>> {
    let mut all = Vec::new();
    let mut query = CourseQuery { limit: PAGE, ..CourseQuery::default() };
    loop {
        let page = context.node.school.course().list(actor, actor.institution, query.clone()).await?;
        query.after = page.last().map(|course| course.id);
        let last = page.len() < usize::try_from(PAGE).unwrap_or_default();
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

pub(crate) async fn run(context: &Context<'_>, command: &CourseCommand) -> Result<u8> {
    let node = context.node;
    let actor = context.actor().await?;
    let out = context.out;
    match command {
        CourseCommand::List => {
            let mut listed = Vec::new();
            for course in every(context, &actor).await? {
                let counts = node.school.course().counts(&actor, course.id).await?;
                listed.push(Listed {
                    slug: course.slug,
                    title: course.title,
                    status: course.status,
                    visibility: course.visibility,
                    lessons: counts.lessons,
                    chunks: counts.chunks,
                });
            }
            out.result(&serde_json::json!({"courses": listed}), |_| {
                let mut table = comfy_table::Table::new();
                table.load_preset(comfy_table::presets::NOTHING);
                table.set_header(["course", "title", "status", "visible to", "lessons", "passages"]);
                for row in &listed {
                    let (lessons, chunks) = (row.lessons.to_string(), row.chunks.to_string());
                    table.add_row([&row.slug, &row.title, &row.status, &row.visibility, &lessons, &chunks]);
                }
                table.to_string()
            });
        }
        CourseCommand::Show { slug } => {
            let course = node.school.course().by_slug(&actor, actor.institution, slug).await?;
            let outline = node.school.lesson().outline(&actor, course.id).await?;
            let modules: Vec<_> = outline
                .modules
                .iter()
                .map(|(module, lessons)| serde_json::json!({"module": module, "lessons": lessons}))
                .collect();
            out.result(&serde_json::json!({"course": course, "modules": modules}), |_| {
                let mut text = format!("{} ({}), {}\n", course.title, course.slug, course.status);
                for (module, lessons) in &outline.modules {
                    text.push_str(&format!("\n{}\n", module.title));
                    for lesson in lessons {
                        text.push_str(&format!("  {} [{}]\n", lesson.title, lesson.kind.to_lowercase()));
                    }
                }
                text
            });
        }
        CourseCommand::Create { slug, title, description } => {
            domain::institution::check_slug("slug", slug)?;
            if context.cli.dry_run {
                out.line(format!("would make course \"{slug}\""));
                return Ok(OK);
            }
            let new = NewCourse {
                slug: Some(slug.clone()),
                title: title.clone().unwrap_or_else(|| slug.clone()),
                description: description.clone(),
                ..NewCourse::default()
            };
            let course = node.school.course().create(&actor, actor.institution, new).await?;
            out.result(&course, |course| {
                format!("course \"{}\" made; it is a draft until: lyceum course publish {0}", course.slug)
            });
        }
        CourseCommand::Publish { slug, visibility } => {
            if context.cli.dry_run {
                out.line(format!("would publish course \"{slug}\" for {}", visibility.as_str()));
                return Ok(OK);
            }
            let course = node.school.course().by_slug(&actor, actor.institution, slug).await?;
            let change = CourseChange {
                status: Some("published".into()),
                visibility: Some(visibility.as_str().into()),
                ..CourseChange::default()
            };
            let course = node.school.course().update(&actor, course.id, change, None).await?;
            out.result(&course, |course| format!("course \"{}\" is published for: {}", course.slug, course.visibility));
        }
        CourseCommand::Ai(command) => ai(context, &actor, command).await?,
    }
    Ok(OK)
}

async fn ai(context: &Context<'_>, actor: &Actor, command: &AiCommand) -> Result<()> {
    let school = &context.node.school;
    let (slug, wanted) = match command {
        AiCommand::On(named) => (&named.course, Some(true)),
        AiCommand::Off(named) => (&named.course, Some(false)),
        AiCommand::Show(named) => (&named.course, None),
    };
    let course = school.course().by_slug(actor, actor.institution, slug).await?.id;
    if let Some(enabled) = wanted
        && !context.cli.dry_run
    {
        school.course_ai().set(actor, course, enabled).await?;
    }
    let enabled = match wanted {
        Some(enabled) => enabled,
        None => school.course_ai().get(actor, course).await?,
    };
    context.out.result(
        &serde_json::json!({ "course": slug, "enabled": enabled, "dryRun": context.cli.dry_run }),
        |_| {
            let (would, state) =
                (if context.cli.dry_run { "would be" } else { "is" }, if enabled { "on" } else { "off" });
            format!("the AI of course \"{slug}\" {would} {state}")
        },
    );
    Ok(())
}
