//! `lyceum course`.

use serde::Serialize;

use crate::args::CourseCommand;
use crate::command::Context;
use crate::exit::{OK, Result};

#[derive(Serialize)]
struct Listed {
    slug: String,
    title: String,
    status: String,
    visibility: String,
    lessons: i64,
    chunks: i64,
}

pub(crate) async fn run(context: &Context<'_>, command: &CourseCommand) -> Result<u8> {
    let node = context.node;
    let actor = context.actor().await?;
    let out = context.out;
    match command {
        CourseCommand::List => {
            let mut listed = Vec::new();
            for course in node.school.course().all(&actor).await? {
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
            let course = node.school.course().by_slug(&actor, slug).await?;
            let modules = node.school.course().outline(&actor, course.id).await?;
            out.result(&serde_json::json!({"course": course, "modules": modules}), |_| {
                let mut text = format!("{} ({}), {}\n", course.title, course.slug, course.status);
                for module in &modules {
                    text.push_str(&format!("\n{}\n", module.module.title));
                    for lesson in &module.lessons {
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
            let course = node
                .school
                .course()
                .create(
                    &actor,
                    school::course::NewCourse {
                        slug: slug.clone(),
                        title: title.clone().unwrap_or_else(|| slug.clone()),
                        description: description.clone(),
                        ..school::course::NewCourse::default()
                    },
                )
                .await?;
            out.result(&course, |course| format!("course \"{}\" made; it is a draft until: lyceum course publish {0}", course.slug));
        }
        CourseCommand::Publish { slug, visibility } => {
            if context.cli.dry_run {
                out.line(format!("would publish course \"{slug}\" for {}", visibility.as_str()));
                return Ok(OK);
            }
            let course = node.school.course().publish(&actor, slug, visibility.as_str()).await?;
            out.result(&course, |course| format!("course \"{}\" is published for: {}", course.slug, course.visibility));
        }
    }
    Ok(OK)
}
