//! One file per verb, and what is common to them: the caller, the failure line, the exit code.

pub(crate) mod appeal;
pub(crate) mod course;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod enrol;
pub(crate) mod eval;
pub(crate) mod gateway;
pub(crate) mod grade;
pub(crate) mod grading;
pub(crate) mod index;
pub(crate) mod ingest;
pub(crate) mod institution;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod model;
pub(crate) mod quiz;
pub(crate) mod recommend;
pub(crate) mod scorm;
pub(crate) mod search;
pub(crate) mod serve;
mod source;
pub(crate) mod transcript;
pub(crate) mod tutor;
pub(crate) mod user;
pub(crate) mod verify;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use domain::ErrorKind;
use domain::institution::Institution;
use domain::policy::{Action, Actor};
use school::institution::NewInstitution;

use crate::args::{Cli, Command, ConfigCommand, GradeCommand, ServeRole};
use crate::config::Config;
use crate::exit::{FAILED, Failure, OK, Result};
use crate::node::Node;
use crate::out::Out;

/// A command in a school: who asks, where from, and where to say it.
pub(crate) struct Context<'a> {
    pub(crate) node: &'a Arc<Node>,
    pub(crate) cli: &'a Cli,
    pub(crate) directory: &'a Path,
    pub(crate) input: Option<String>,
    /// Typed in another process, whose terminal is not here.
    pub(crate) forwarded: bool,
    pub(crate) out: &'a Out,
}

impl Context<'_> {
    /// The institution that the command acts in; a school without any gets its first one here.
    pub(crate) async fn institution(&self) -> Result<Institution> {
        let institutions = self.node.school.institution();
        match institutions.resolve(self.cli.institution.as_deref()).await {
            Err(error) if error.kind == ErrorKind::NotFound && self.cli.institution.is_none() => {
                let first = NewInstitution { slug: "school".into(), name: "My school".into() };
                Ok(institutions.create(&operator_anywhere(), first).await?)
            }
            Err(error) if error.kind == ErrorKind::ValidationError => {
                let all = institutions.list(&operator_anywhere()).await?;
                let names: Vec<&str> = all.iter().map(|one| one.slug.as_str()).collect();
                Err(Failure::usage(format!(
                    "there are {} institutions: name one with --institution ({})",
                    names.len(),
                    names.join(", ")
                )))
            }
            found => Ok(found?),
        }
    }

    /// Makes the first institution of an empty school; several are no fault here.
    pub(crate) async fn institution_or_first(&self) -> Result<()> {
        match self.institution().await {
            Err(failure) if failure.code == crate::exit::USAGE => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Who asks: the operator, or the user of `--as`, in the institution.
    pub(crate) async fn actor(&self) -> Result<Actor> {
        let institution = self.institution().await?;
        Ok(match &self.cli.as_user {
            None => Actor::operator(institution.id),
            Some(name) => self.node.school.session().impersonate(institution.id, name).await?,
        })
    }

    /// The bounds of a search in a course named by its slug.
    pub(crate) async fn scope(&self, actor: &Actor, course: &str, action: Action) -> Result<store::Scope> {
        let course = self.node.school.course().by_slug(actor, actor.institution, course).await?;
        Ok(self.node.school.scope_for(actor, course.id, action).await?)
    }

    /// A path of the command line, seen from where it was typed.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.directory.join(path)
    }

    /// Whose share and quota a model call counts in.
    pub(crate) fn asking(&self, actor: &Actor, course: domain::CourseId, feature: &'static str) -> assistant::Caller {
        let institution = Some(actor.institution).filter(|id| !id.0.is_nil());
        assistant::Caller { institution, course: Some(course), user: actor.user_id, key: None, feature }
    }

    /// A file with a query a line.
    pub(crate) fn lines(&self, file: &Path) -> Result<Vec<String>> {
        let path = self.path(file);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::new(crate::exit::NOT_FOUND, format!("cannot read \"{}\": {error}", path.display()))
        })?;
        Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }
}

/// A moment as tables show it: the minute, UTC.
pub(crate) fn day(micros: domain::Micros) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]");
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .ok()
        .and_then(|at| at.format(format).ok())
        .unwrap_or_default()
}

/// The operator before any institution is chosen: the nil id belongs to none.
pub(crate) fn operator_anywhere() -> Actor {
    Actor::operator(domain::InstitutionId(uuid::Uuid::nil()))
}

/// Whether the verb works on a school (and so needs its data directory).
pub(crate) fn needs_school(command: &Command) -> bool {
    if let Command::Serve(serve) = command {
        return serve.role != ServeRole::Worker;
    }
    !matches!(
        command,
        Command::Doctor
            | Command::Model(_)
            | Command::Config(_)
            | Command::Grade(GradeCommand::Propose { items: Some(_), .. })
            | Command::ExportOpenapi
    )
}

/// What a verb reads from standard input.
pub(crate) fn input(cli: &Cli) -> Result<Option<String>> {
    use std::io::Read as _;
    let wanted = matches!(&cli.command, Command::User(crate::args::UserCommand::Create { password_stdin: true, .. }));
    if !wanted {
        return Ok(None);
    }
    let mut text = String::new();
    std::io::stdin().take(64 * 1024).read_to_string(&mut text)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Says why a command ended without its result: JSON beside the result where JSON was asked for.
pub(crate) fn print_failure(out: &Out, failure: &Failure) {
    if out.json() {
        out.object(&serde_json::json!({"error": {"code": name(failure.code), "message": failure.message}}));
    } else {
        out.note(format!("error: {}", failure.message));
    }
}

fn name(code: u8) -> &'static str {
    match code {
        crate::exit::USAGE => "USAGE",
        crate::exit::NOT_FOUND => "NOT_FOUND",
        crate::exit::REFUSED => "FORBIDDEN",
        crate::exit::TRY_LATER => "UNAVAILABLE",
        crate::exit::BAD_CONFIG => "BAD_CONFIG",
        _ => "FAILED",
    }
}

/// The exit code of a result; a failure is printed.
pub(crate) fn finish(out: &Out, result: Result<u8>) -> u8 {
    match result {
        Ok(code) => code,
        Err(failure) => {
            print_failure(out, &failure);
            failure.code
        }
    }
}

/// Verbs that need no school.
pub(crate) async fn run_alone(cli: &Cli, data_dir: &Path, config: &Config, out: &Out) -> u8 {
    let result = match &cli.command {
        Command::Doctor => doctor::run(data_dir, config, out).await,
        Command::Model(command) => model::run(command, config, cli.dry_run, out).await,
        Command::Serve(arguments) => serve::work(config, arguments, out).await,
        Command::Config(command) => show_config(command, config, out),
        Command::Grade(GradeCommand::Propose { items: Some(items), .. }) => grade::run(items, config, out).await,
        Command::ExportOpenapi => {
            out.line(api::openapi_json().trim_end());
            Ok(OK)
        }
        _ => Err(Failure::new(FAILED, "this verb needs a school")),
    };
    finish(out, result)
}

fn show_config(command: &ConfigCommand, config: &Config, out: &Out) -> Result<u8> {
    match command {
        ConfigCommand::Check => out.result(&serde_json::json!({"good": true}), |_| "the configuration is good".into()),
        ConfigCommand::Show => {
            let shown = config.masked();
            let text = toml::to_string_pretty(&shown).map_err(|error| Failure::new(FAILED, error.to_string()))?;
            out.result(&shown, |_| text);
        }
    }
    Ok(OK)
}

/// Opens the school as its owner, runs the verb, answers forwarded commands meanwhile, closes.
pub(crate) async fn run_as_owner(cli: Cli, owner: store::owner::Owner, data_dir: &Path, config: Config) -> Result<u8> {
    let (out, frames) = Out::new(cli.json);
    let printed = tokio::spawn(crate::out::print(frames));
    let input = input(&cli)?;
    let directory = std::env::current_dir()?;
    let node = match Node::open(owner, data_dir, config).await {
        Ok(node) => node,
        Err(failure) => {
            print_failure(&out, &failure);
            out.exit(failure.code);
            return Ok(printed.await.unwrap_or(failure.code));
        }
    };
    let code = {
        let context = Context { node: &node, cli: &cli, directory: &directory, input, forwarded: false, out: &out };
        finish(&out, run(&context).await)
    };
    node.close().await;
    out.exit(code);
    Ok(printed.await.unwrap_or(FAILED))
}

/// Runs a command that another process sent to this owner.
pub(crate) async fn run_forwarded(
    node: &Arc<Node>,
    arguments: &[String],
    directory: &Path,
    input: Option<String>,
    out: &Out,
) {
    let parsed = Cli::try_parse_from(std::iter::once("lyceum").chain(arguments.iter().map(String::as_str)));
    let code = match parsed {
        Ok(cli) => {
            let context = Context { node, cli: &cli, directory, input, forwarded: true, out };
            finish(out, Box::pin(run(&context)).await)
        }
        Err(error) => {
            out.note(error.to_string());
            crate::exit::USAGE
        }
    };
    out.exit(code);
}

async fn run(context: &Context<'_>) -> Result<u8> {
    match &context.cli.command {
        Command::Serve(arguments) => serve::run(context, arguments).await,
        Command::Ingest(command) => ingest::run(context, command).await,
        Command::Source(command) => source::run(context, command).await,
        Command::Job(command) => job::run(context, command).await,
        Command::Course(command) => course::run(context, command).await,
        Command::User(command) => user::run(context, command).await,
        Command::Institution(command) => institution::run(context, command).await,
        Command::Enrol(command) => enrol::run(context, command).await,
        Command::Search(arguments) => search::run(context, arguments).await,
        Command::Transcript(command) => transcript::run(context, command).await,
        Command::Tutor(command) => tutor::run(context, command).await,
        Command::Recommend(arguments) => recommend::run(context, arguments).await,
        Command::Mastery(arguments) => recommend::mastery(context, arguments).await,
        Command::Review(command) => recommend::review(context, command).await,
        Command::Prerequisite(command) => recommend::prerequisite(context, command).await,
        Command::Quiz(command) => quiz::run(context, command).await,
        Command::Scorm(command) => scorm::run(context, command).await,
        Command::Grade(command) => grading::run(context, command).await,
        Command::Appeal(command) => appeal::run(context, command).await,
        Command::Gateway(command) => gateway::run(context, command).await,
        Command::Worker(command) => worker::run(context, command).await,
        Command::Key(command) => key::run(context, command).await,
        Command::Verify => verify::run(context).await,
        Command::Index(command) => index::run(context, command).await,
        Command::Eval(command) => eval::run(context, command).await,
        Command::Demo(_) | Command::Doctor | Command::Model(_) | Command::Config(_) | Command::ExportOpenapi => {
            Err(Failure::new(FAILED, "this verb does not run in a school that another process owns"))
        }
    }
}
