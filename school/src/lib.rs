//! The application: one file per aggregate, each use case = policy + one transaction + its event.
//!
//! HTTP, the command line and whatever comes later call this and hold no rule of their own. What
//! models and parsers do is not here.

#![warn(missing_docs)]

pub mod access;
pub mod api_key;
pub mod appeal;
pub mod assessment;
pub mod attempt;
pub mod audit;
pub mod course;
pub mod course_ai;
pub mod enrollment;
pub mod grade;
pub mod ingestion;
pub mod institution;
pub mod job;
pub mod learning;
pub mod lesson;
pub mod model_request;
mod password;
pub mod playback;
pub mod question;
pub mod quota;
pub mod role;
pub mod rubric;
pub mod scorm;
pub mod search;
pub mod session;
pub mod source;
pub mod submission;
mod throttle;
pub mod transcript;
pub mod tutor;
mod unit;
pub mod usage;
pub mod user;

use std::sync::Arc;

pub use domain::policy::{Action, Actor};
pub use throttle::LoginLimits;

/// Failures cross this layer as the domain's closed kinds.
pub type Result<T, E = domain::Error> = std::result::Result<T, E>;

/// What an installation decides about its school.
#[derive(Debug, Clone)]
pub struct SchoolOptions {
    /// Hosts that the interface may ingest from; the command line on this machine is not bound by it.
    pub ingest_hosts: Vec<String>,
    /// How many wrong passwords are taken.
    pub login_limits: LoginLimits,
    /// Cost of a password hash.
    pub password_cost: PasswordCost,
    /// Signs addresses of streams; a fresh one makes those of an earlier process void.
    pub stream_key: playback::StreamKey,
}

impl Default for SchoolOptions {
    fn default() -> Self {
        Self {
            ingest_hosts: ["github.com", "www.youtube.com", "youtu.be"].map(str::to_owned).to_vec(),
            login_limits: LoginLimits::default(),
            password_cost: PasswordCost::default(),
            stream_key: playback::StreamKey::default(),
        }
    }
}

/// Cost of Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Hashes computed at the same time; the rest waits.
    pub at_once: usize,
}

impl Default for PasswordCost {
    /// OWASP's second recommendation for Argon2id (19 MiB, two passes), two at a time.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, at_once: 2 }
    }
}

/// The school: cheap to clone, shared by every door.
#[derive(Clone)]
pub struct School {
    inner: Arc<Inner>,
}

struct Inner {
    store: store::Store,
    options: SchoolOptions,
    passwords: password::Passwords,
    throttle: throttle::Throttle,
    starter: std::sync::OnceLock<Arc<dyn ingestion::Starter>>,
    api_keys: api_key::Memory,
    course_ai: course_ai::Memory,
    running: model_request::Running,
    stream_key: playback::StreamKey,
}

impl School {
    /// A school over an opened store, with defaults.
    ///
    /// # Errors
    /// The cost of password hashes is out of range.
    pub fn new(store: store::Store) -> Result<Self> {
        Self::with(store, SchoolOptions::default())
    }

    /// A school over an opened store.
    ///
    /// # Errors
    /// The cost of password hashes is out of range.
    pub fn with(store: store::Store, options: SchoolOptions) -> Result<Self> {
        let passwords = password::Passwords::new(options.password_cost)?;
        let throttle = throttle::Throttle::new(options.login_limits);
        let stream_key = options.stream_key.clone();
        let inner = Inner {
            store,
            options,
            passwords,
            throttle,
            starter: std::sync::OnceLock::new(),
            api_keys: api_key::Memory::default(),
            course_ai: course_ai::Memory::default(),
            running: model_request::Running::default(),
            stream_key,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The rows that it works on.
    #[must_use]
    pub fn store(&self) -> &store::Store {
        &self.inner.store
    }

    /// What it was opened with.
    #[must_use]
    pub fn options(&self) -> &SchoolOptions {
        &self.inner.options
    }

    /// Wires what starts ingestions. The pipeline needs a school, so it comes after it; the first one stays.
    pub fn set_starter(&self, starter: Arc<dyn ingestion::Starter>) {
        if self.inner.starter.set(starter).is_err() {
            tracing::warn!("ingestion was wired twice; the first stays");
        }
    }

    /// Institutions.
    #[must_use]
    pub fn institution(&self) -> institution::Institutions<'_> {
        institution::Institutions { school: self }
    }

    /// Users.
    #[must_use]
    pub fn user(&self) -> user::Users<'_> {
        user::Users { school: self }
    }

    /// Roles of users.
    #[must_use]
    pub fn role(&self) -> role::Roles<'_> {
        role::Roles { school: self }
    }

    /// Courses.
    #[must_use]
    pub fn course(&self) -> course::Courses<'_> {
        course::Courses { school: self }
    }

    /// Playing recordings.
    #[must_use]
    pub fn playback(&self) -> playback::Playback<'_> {
        playback::Playback { school: self }
    }

    /// Transcripts, whose captions lie in `blobs`.
    #[must_use]
    pub fn transcript<'a>(&'a self, blobs: &'a dyn store::blob::Blobs) -> transcript::Transcripts<'a> {
        transcript::Transcripts { school: self, blobs }
    }

    /// Modules and lessons.
    #[must_use]
    pub fn lesson(&self) -> lesson::Lessons<'_> {
        lesson::Lessons { school: self }
    }

    /// The question bank.
    #[must_use]
    pub fn question(&self) -> question::Questions<'_> {
        question::Questions { school: self }
    }

    /// Quizzes.
    #[must_use]
    pub fn assessment(&self) -> assessment::Assessments<'_> {
        assessment::Assessments { school: self }
    }

    /// Taking quizzes.
    #[must_use]
    pub fn attempt(&self) -> attempt::Attempts<'_> {
        attempt::Attempts { school: self }
    }

    /// SCORM packages as they are taken.
    #[must_use]
    pub fn scorm(&self) -> scorm::Scorms<'_> {
        scorm::Scorms { school: self }
    }

    /// Rubrics of questions.
    #[must_use]
    pub fn rubric(&self) -> rubric::Rubrics<'_> {
        rubric::Rubrics { school: self }
    }

    /// What learners handed in.
    #[must_use]
    pub fn submission(&self) -> submission::Submissions<'_> {
        submission::Submissions { school: self }
    }

    /// Proposals, grades and their release.
    #[must_use]
    pub fn grade(&self) -> grade::Grades<'_> {
        grade::Grades { school: self }
    }

    /// Appeals against grades.
    #[must_use]
    pub fn appeal(&self) -> appeal::Appeals<'_> {
        appeal::Appeals { school: self }
    }

    /// Enrolments and progress.
    #[must_use]
    pub fn enrollment(&self) -> enrollment::Enrollments<'_> {
        enrollment::Enrollments { school: self }
    }

    /// Logins.
    #[must_use]
    pub fn session(&self) -> session::Sessions<'_> {
        session::Sessions { school: self }
    }

    /// Ingestions, as far as people start and watch them.
    #[must_use]
    pub fn ingestion(&self) -> ingestion::Ingestions<'_> {
        ingestion::Ingestions { school: self }
    }

    /// Sources of courses.
    #[must_use]
    pub fn source(&self) -> source::Sources<'_> {
        source::Sources { school: self }
    }

    /// Learning records and prerequisites.
    #[must_use]
    pub fn learning(&self) -> learning::Learning<'_> {
        learning::Learning { school: self }
    }

    /// Dead jobs.
    #[must_use]
    pub fn job(&self) -> job::Jobs<'_> {
        job::Jobs { school: self }
    }

    /// The audit trail.
    #[must_use]
    pub fn audit(&self) -> audit::Trail<'_> {
        audit::Trail { school: self }
    }

    /// Questions to the tutor.
    #[must_use]
    pub fn tutor(&self) -> tutor::Tutors<'_> {
        tutor::Tutors { school: self }
    }

    /// API keys.
    #[must_use]
    pub fn api_key(&self) -> api_key::ApiKeys<'_> {
        api_key::ApiKeys { school: self }
    }

    /// Limits of model use, as people set them. What counts them is [`quota::Quotas`].
    #[must_use]
    pub fn quota(&self) -> quota::QuotaSettings<'_> {
        quota::QuotaSettings { school: self }
    }

    /// What models were used for. What records it is [`usage::Usage`].
    #[must_use]
    pub fn usage(&self) -> usage::Usages<'_> {
        usage::Usages { school: self }
    }

    /// The AI switch of courses.
    #[must_use]
    pub fn course_ai(&self) -> course_ai::CourseAis<'_> {
        course_ai::CourseAis { school: self }
    }

    /// Durable requests to models.
    #[must_use]
    pub fn model_request(&self) -> model_request::ModelRequests<'_> {
        model_request::ModelRequests { school: self }
    }
}
