//! `lyceum institution`.

use school::institution::NewInstitution;

use crate::args::InstitutionCommand;
use crate::command::{Context, operator_anywhere};
use crate::exit::{OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &InstitutionCommand) -> Result<u8> {
    let school = &context.node.school;
    match command {
        InstitutionCommand::List => {
            let all = school.institution().list(&operator_anywhere()).await?;
            context.out.result(&serde_json::json!({"institutions": all}), |_| {
                all.iter().map(|one| format!("{}  {}  {}\n", one.slug, one.name, one.status)).collect()
            });
        }
        InstitutionCommand::Create { slug, name } => {
            domain::institution::check_slug("slug", slug)?;
            if context.cli.dry_run {
                context.out.line(format!("would make institution \"{slug}\""));
                return Ok(OK);
            }
            let new = NewInstitution { slug: slug.clone(), name: name.clone().unwrap_or_else(|| slug.clone()) };
            let made = school.institution().create(&operator_anywhere(), new).await?;
            context.out.result(&made, |made| format!("institution \"{}\" made", made.slug));
        }
    }
    Ok(OK)
}
