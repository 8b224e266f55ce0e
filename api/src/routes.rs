//! The table of contents: every route, its action, its handler and what it says of itself.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter};
use domain::policy::Action;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::App;
use crate::doc::{About, about};
use crate::layer;

mod appeal;
mod assessment;
mod audit;
pub(crate) mod client;
mod content;
mod course;
mod course_ai;
mod docs;
mod enrollment;
mod exchange;
mod generate;
mod grade;
mod health;
mod ingestion;
mod institution;
mod job;
mod key;
mod model;
mod model_request;
mod playback;
mod progress;
mod question;
mod quota;
mod recommendation;
mod review;
mod rubric;
mod scorm;
mod search;
mod session;
mod source;
mod submission;
mod transcript;
mod tutor;
pub(crate) mod upload;
mod usage;
mod user;

/// One route.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its method.
    pub method: Method,
    /// Its pattern.
    pub path: &'static str,
    /// What the policy calls it.
    pub action: Action,
}

/// A handler without a router around it.
pub(crate) type Direct = Box<dyn Fn(Request, App) -> BoxFuture<'static, Result<Response, Infallible>> + Send + Sync>;

/// Routes as they are put together. There is no way in without an action.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<App>,
    /// Beside the layers that the others have: these find their caller themselves.
    lean: Router<App>,
    /// Those of them whose path is fixed, to be found without the router: its work is counted in every such request.
    direct: Vec<(Method, &'static str, Direct)>,
    pub(crate) table: Vec<(Entry, About)>,
}

impl Routes {
    /// Adds a route with its action.
    #[expect(clippy::disallowed_methods, reason = "the one place where routes are added, with their action")]
    fn add<H, T>(&mut self, method: Method, path: &'static str, action: Action, about: About, handler: H)
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = match method {
            Method::POST => MethodFilter::POST,
            Method::PUT => MethodFilter::PUT,
            Method::DELETE => MethodFilter::DELETE,
            Method::PATCH => MethodFilter::PATCH,
            _ => MethodFilter::GET,
        };
        let gate = move |request: Request, next: Next| layer::gate(action, path, request, next);
        let route: MethodRouter<App> = MethodRouter::new().on(filter, handler).layer(middleware::from_fn(gate));
        self.router = std::mem::take(&mut self.router).route(path, route);
        self.table.push((Entry { method, path, action }, about));
    }

    /// Adds a route of the model API, which has no layer: its handler asks for the key and the right itself.
    #[expect(clippy::disallowed_methods, reason = "the one place where routes are added, with their action")]
    fn lean<H, T>(&mut self, method: Method, path: &'static str, action: Action, about: About, handler: H)
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = if method == Method::POST { MethodFilter::POST } else { MethodFilter::GET };
        let route = MethodRouter::new().on(filter, handler.clone());
        // What stands in a path is read by the router.
        if !path.contains('{') {
            let direct = move |request, app| handler.clone().call(request, app).map(Ok).boxed();
            self.direct.push((method.clone(), path, Box::new(direct)));
        }
        self.lean = std::mem::take(&mut self.lean).route(path, route);
        self.table.push((Entry { method, path, action }, about));
    }

    /// The router with its layers, and what a request may be given to past it.
    #[expect(clippy::disallowed_methods, reason = "the two halves of the one table of contents")]
    pub(crate) fn into_router(self, app: &App) -> (Router<App>, Vec<(Method, &'static str, Direct)>) {
        (layer::around(self.router.fallback(layer::nothing_here), app).merge(self.lean), self.direct)
    }

    pub(crate) fn entries(self) -> Vec<Entry> {
        self.table.into_iter().map(|(entry, _)| entry).collect()
    }
}

/// All routes, grouped by reader.
#[rustfmt::skip]
pub(crate) fn all() -> Routes {
    use Action as A;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const DELETE: Method = Method::DELETE;
    const PATCH: Method = Method::PATCH;
    let mut routes = Routes::default();

    // Everybody
    routes.add(GET, "/health/live", A::Health, about("Says that the process lives").text(), health::live);
    routes.add(GET, "/health/ready", A::Health, about("Says whether requests can be served").text(), health::ready);
    routes.add(GET, "/health/startup", A::Health, about("Says whether the start is over").text(), health::ready);
    routes.add(GET, "/openapi.json", A::Docs, about("This description").text(), docs::openapi);
    routes.add(GET, "/", A::Docs, about("Leads to the browser client").text(), client::index);
    routes.add(GET, "/app/{*file}", A::Docs, about("Pages and files of the browser client").text(), client::file);
    routes.add(GET, "/docs", A::Docs, about("The documentation page").text(), docs::index);
    routes.add(GET, "/docs/{*file}", A::Docs, about("Files of the documentation page").text(), docs::file);
    routes.add(POST, "/api/v1/auth/login", A::Login, about("Opens a login").body::<session::Login>().one::<session::TokenAttributes>(), session::login);
    routes.add(POST, "/api/v1/auth/refresh", A::Login, about("Exchanges a refresh token, once").body::<session::Secret>().one::<session::TokenAttributes>(), session::refresh);

    // Whoever logged in
    routes.add(GET, "/api/v1/auth/session", A::OwnSession, about("Who one is and what one may").one::<session::SessionAttributes>(), session::own);
    routes.add(POST, "/api/v1/auth/logout", A::OwnSession, about("Ends this login").nothing(), session::logout);

    routes.add(POST, "/api/v1/keys", A::KeyOwn, about("Makes an API key; it is shown this once").body::<key::NewKey>().created::<key::KeyAttributes>(), key::create);
    routes.add(GET, "/api/v1/keys", A::KeyOwn, about("Lists one's API keys; those of others for administrators").query(key::LIST_QUERY).many::<key::KeyAttributes>(), key::list);
    routes.add(DELETE, "/api/v1/keys/{id}", A::KeyOwn, about("Ends an API key").nothing(), key::revoke);
    routes.add(GET, "/api/v1/model-requests/{id}", A::ModelRequestOwn, about("Reads one's durable request to a model, with its answer").one::<model_request::ModelRequestAttributes>(), model_request::get);
    routes.add(DELETE, "/api/v1/model-requests/{id}", A::ModelRequestOwn, about("Calls one's durable request off; of one that ended nothing changes").one::<model_request::ModelRequestAttributes>(), model_request::cancel);

    // Learners
    routes.add(GET, "/api/v1/courses", A::CourseSee, about("Lists the courses that one may see").query(course::LIST_QUERY).many::<course::CourseAttributes>(), course::list);
    routes.add(GET, "/api/v1/courses/{id}", A::CourseSee, about("Reads a course's card").one::<course::CourseAttributes>(), course::get);
    routes.add(GET, "/api/v1/courses/{id}/ai", A::CourseSee, about("Says whether the AI of a course is on").one::<course_ai::CourseAiAttributes>(), course_ai::get);
    routes.add(GET, "/api/v1/courses/{id}/modules", A::ReadPublished, about("Lists modules with their lessons").many::<course::ModuleAttributes>(), course::modules);
    routes.add(GET, "/api/v1/courses/{id}/content", A::ReadPublished, about("Lists the lessons of a course in order").many::<content::LessonAttributes>(), content::of_course);
    routes.add(GET, "/api/v1/courses/{id}/search", A::ReadPublished, about("Searches the content of a course").query(search::QUERY).many::<search::HitAttributes>(), search::search);
    routes.add(GET, "/api/v1/content/{id}", A::ReadPublished, about("Reads a lesson with its text").one::<content::ContentAttributes>(), content::get);
    routes.add(GET, "/api/v1/content/{id}/source", A::ReadPublished, about("Reads the document behind a lesson as it was fetched: Markdown, captions; takes ranges").bytes(), content::source);
    routes.add(GET, "/api/v1/content/{id}/media", A::ReadPublished, about("Plays a lesson's recording or document; takes ranges").bytes(), content::media);
    routes.add(GET, "/api/v1/content/{id}/streaming-url", A::ReadPublished, about("Addresses that a player asks without a login of its own, for four hours").one::<playback::StreamingAttributes>(), playback::begin);
    routes.add(GET, "/api/v1/streams/{ticket}/{file}", A::ReadPublished, about("A file of the recording that an address was given for; the rights of its holder are looked at again").bytes(), playback::file);
    routes.add(PUT, "/api/v1/content/{id}/position", A::ProgressReport, about("Notes where a learner is in a recording; progress follows").body::<playback::PositionChange>().nothing(), playback::pause);
    routes.add(GET, "/api/v1/content/{id}/transcript", A::ReadPublished, about("The transcript of a recording, line by line, with its corrections").one::<transcript::TranscriptAttributes>(), transcript::get);
    routes.add(GET, "/api/v1/courses/{id}/media", A::CourseSee, about("Whether recordings of a course are protected").one::<playback::CourseMediaAttributes>(), playback::protected);
    routes.add(GET, "/player/youtube/{video}", A::Docs, about("A page with the player of a video's site, for a frame of the browser client").query(playback::PLAYER_QUERY).text(), playback::youtube);
    routes.add(GET, "/api/v1/content/{id}/hls/{file}", A::ReadPublished, about("Streams a lesson's recording (HLS): master.m3u8, its playlists and segments, poster.jpg, thumbnails.vtt, captions.vtt").bytes(), content::stream);
    routes.add(POST, "/api/v1/courses/{id}/tutor/messages", A::TutorChat, about("Asks the tutor; with Accept: text/event-stream the answer is streamed").body::<tutor::Question>().created::<tutor::AnswerAttributes>(), tutor::ask);
    routes.add(GET, "/api/v1/courses/{id}/tutor/messages/stream", A::TutorChat, about("Streams an answer: citation, delta, done; resumes by Last-Event-ID").query(tutor::STREAM_QUERY).stream(), tutor::stream);
    routes.add(POST, "/api/v1/enrollments", A::EnrolSelf, about("Enrols oneself, or others").body::<enrollment::NewEnrollment>().created::<enrollment::EnrollmentAttributes>(), enrollment::create);
    routes.add(POST, "/api/v1/courses/{id}/enrollments", A::EnrolSelf, about("Enrols oneself, another or several").body::<enrollment::NewCourseEnrollment>().created::<enrollment::EnrollmentAttributes>(), enrollment::create_in_course);
    routes.add(GET, "/api/v1/enrollments/{id}", A::UserRead, about("Reads an enrolment").one::<enrollment::EnrollmentAttributes>(), enrollment::get);
    routes.add(PUT, "/api/v1/enrollments/{id}/progress", A::ProgressReport, about("Reports what was done in a lesson; the server computes the progress").body::<enrollment::ProgressReport>().one::<enrollment::EnrollmentAttributes>(), enrollment::report);
    routes.add(GET, "/api/v1/courses/{id}/assessments", A::ReadPublished, about("Lists the quizzes of a course").query(course::PAGE_QUERY).many::<assessment::AssessmentAttributes>(), assessment::of_course);
    routes.add(GET, "/api/v1/assessments/{id}", A::ReadPublished, about("Reads a quiz's card").one::<assessment::AssessmentAttributes>(), assessment::get);
    routes.add(POST, "/api/v1/assessments/{id}/attempts", A::AttemptTake, about("Begins an attempt, or goes on with the open one").created::<assessment::AttemptAttributes>(), assessment::start);
    routes.add(GET, "/api/v1/attempts/{id}", A::AttemptTake, about("Reads one's own attempt").one::<assessment::AttemptAttributes>(), assessment::get_attempt);
    routes.add(PUT, "/api/v1/attempts/{id}/responses/{question}", A::AttemptTake, about("Saves an answer of an open attempt").body::<assessment::NewResponse>().one::<assessment::SavedAttributes>(), assessment::save);
    routes.add(POST, "/api/v1/assessments/{id}/submit", A::AttemptTake, about("Submits one's open attempt; again answers the same").one::<assessment::ResultAttributes>(), assessment::submit);
    routes.add(GET, "/api/v1/assessments/{id}/results", A::GradeRead, about("Lists submitted attempts: one's own as released, or everybody's").many::<assessment::ResultAttributes>(), assessment::results);
    routes.add(GET, "/api/v1/questions/{id}/hint", A::AttemptTake, about("Gives the hint that wrong answers and days have unlocked").one::<question::HintAttributes>(), question::hint);

    routes.add(POST, "/api/v1/content/{id}/scorm", A::ScormAttempt, about("Opens the SCORM item of a lesson: begins an attempt or goes on with the open one, and says where it is played").body::<scorm::ScormOpening>().created::<scorm::ScormOpenedAttributes>(), scorm::open);
    routes.add(POST, "/api/v1/scorm-attempts/{id}/commits", A::ScormAttempt, about("Takes the next batch of what a package set; the same key again answers the same").body::<scorm::ScormBatch>().one::<scorm::ScormOutcomeAttributes>(), scorm::commit);
    routes.add(POST, "/api/v1/scorm-attempts/{id}/finish", A::ScormAttempt, about("Ends a session that its package did not end; again changes nothing").body::<scorm::ScormLeaving>().one::<scorm::ScormAttemptAttributes>(), scorm::finish);
    routes.add(GET, "/api/v1/scorm-attempts/{id}", A::ScormTrace, about("Reads an attempt at a SCORM item; its score is the package's own word").one::<scorm::ScormAttemptAttributes>(), scorm::get);
    routes.add(GET, "/api/v1/scorm-attempts/{id}/trace", A::ScormTrace, about("Reads everything that a package set, and whether replaying it leads to what is stored").one::<scorm::ScormTraceAttributes>(), scorm::trace);
    routes.add(GET, "/api/v1/courses/{id}/scorm-results", A::GradeRead, about("Lists what came of a course's SCORM packages: one's own, or everybody's").query(course::PAGE_QUERY).many::<scorm::ScormResultAttributes>(), scorm::results);

    routes.add(GET, "/api/v1/courses/{id}/recommendations", A::RecommendationsRead, about("What to learn next, each with its reason; figures over the class for those who teach").query(recommendation::QUERY).many::<recommendation::RecommendationAttributes>(), recommendation::next);
    routes.add(GET, "/api/v1/courses/{id}/mastery", A::LearnerAnalytics, about("How well a learner masters each concept").query(recommendation::USER_QUERY).many::<recommendation::MasteryAttributes>(), recommendation::mastery);
    routes.add(GET, "/api/v1/reviews/due", A::ReviewOwn, about("Lists one's questions that are due for review").many::<review::ReviewAttributes>(), review::due);
    routes.add(POST, "/api/v1/reviews/{question}", A::ReviewOwn, about("Says how well a question was remembered, and schedules it anew").body::<review::Remembered>().one::<review::ReviewAttributes>(), review::answer);
    routes.add(GET, "/api/v1/courses/{id}/prerequisites", A::ReadPublished, about("Which lesson needs which, and who says so").many::<recommendation::PrerequisiteAttributes>(), recommendation::prerequisites);

    routes.add(POST, "/api/v1/submissions", A::SubmissionCreate, about("Hands in the one text that a quiz asks for").body::<submission::NewSubmission>().created::<submission::SubmissionAttributes>(), submission::create);
    routes.add(GET, "/api/v1/submissions/{id}", A::SubmissionRead, about("Reads a submission with what is released of its grade").one::<submission::SubmissionAttributes>(), submission::get);
    routes.add(GET, "/api/v1/courses/{id}/submissions", A::SubmissionRead, about("Lists submissions with released grades: one's own, or everybody's").query(submission::LIST_QUERY).many::<submission::SubmissionAttributes>(), submission::of_course);
    routes.add(POST, "/api/v1/submissions/{id}/appeals", A::AppealFile, about("Appeals against the released grade of one's own submission").body::<appeal::NewAppeal>().created::<submission::AppealAttributes>(), appeal::create);
    routes.add(GET, "/api/v1/courses/{id}/grades", A::GradeExport, about("Takes the released grades out: one's own, or everybody's").many::<grade::ExportAttributes>(), grade::export);

    // Instructors
    routes.add(GET, "/api/v1/courses/{id}/grading", A::GradeDraftRead, about("The queue of those who grade: appeals, flags and doubts first; no learner is named").query(grade::QUEUE_QUERY).many::<grade::QueuedAttributes>(), grade::queue);
    routes.add(GET, "/api/v1/submissions/{id}/grading", A::GradeDraftRead, about("A submission with rubric, proposal and history").one::<grade::BenchAttributes>(), grade::get);
    routes.add(POST, "/api/v1/submissions/{id}/proposals", A::GradePropose, about("Has a grade proposed; a proposal never counts").created::<grade::BenchAttributes>(), grade::propose);
    routes.add(PUT, "/api/v1/submissions/{id}/grade", A::GradeSet, about("Sets the next grade of a submission; an override needs a reason").body::<grade::GradeChange>().one::<grade::GradeAttributes>(), grade::set);
    routes.add(POST, "/api/v1/submissions/{id}/release", A::GradeRelease, about("Releases the current grade to its learner").one::<grade::GradeAttributes>(), grade::release);
    routes.add(GET, "/api/v1/courses/{id}/appeals", A::GradeDraftRead, about("Lists the appeals of a course, those due first at the top").query(appeal::LIST_QUERY).many::<submission::AppealAttributes>(), appeal::of_course);
    routes.add(POST, "/api/v1/appeals/{id}/answer", A::GradeRelease, about("Answers an appeal; whether the points changed is read from the grades").body::<appeal::AppealAnswer>().one::<submission::AppealAttributes>(), appeal::answer);
    routes.add(GET, "/api/v1/questions/{id}/rubric", A::QuestionRead, about("Reads the newest rubric of a question").one::<rubric::RubricAttributes>(), rubric::get);
    routes.add(PUT, "/api/v1/questions/{id}/rubric", A::QuestionEdit, about("Writes the next version of a question's rubric").body::<rubric::NewRubric>().one::<rubric::RubricAttributes>(), rubric::set);
    routes.add(GET, "/api/v1/questions/{id}/calibration", A::GradeDraftRead, about("How well proposals agree with people, and what that allows").one::<grade::CalibrationAttributes>(), grade::calibration);
    routes.add(POST, "/api/v1/questions/{id}/proposals", A::GradePropose, about("Proposals for all that wait, where the agreement allows it").created::<grade::BatchAttributes>(), grade::batch);
    routes.add(POST, "/api/v1/questions/{id}/regrade", A::GradeSet, about("Counts every grade by the newest rubric; dryRun only shows what would change").body::<grade::Regrade>().many::<grade::RegradedAttributes>(), grade::regrade);
    routes.add(POST, "/api/v1/questions", A::QuestionEdit, about("Adds a question to a course's bank, as a draft").body::<question::NewQuestion>().created::<question::QuestionAttributes>(), question::create);
    routes.add(GET, "/api/v1/questions/{id}", A::QuestionRead, about("Reads a question with its key").one::<question::QuestionAttributes>(), question::get);
    routes.add(PUT, "/api/v1/questions/{id}", A::QuestionEdit, about("Replaces a question's content; it is a draft again").body::<question::QuestionChange>().one::<question::QuestionAttributes>(), question::update);
    routes.add(POST, "/api/v1/questions/{id}/state", A::QuestionEdit, about("Approves a question, takes that back, or retires it").body::<question::StateChange>().one::<question::QuestionAttributes>(), question::set_state);
    routes.add(GET, "/api/v1/courses/{id}/questions", A::QuestionRead, about("Lists the question bank of a course, with keys").query(question::LIST_QUERY).many::<question::QuestionAttributes>(), question::of_course);
    routes.add(POST, "/api/v1/courses/{id}/questions/generate", A::QuizGenerate, about("Drafts questions from the course, for a person to review").body::<generate::NewQuestions>().created::<generate::OfferedAttributes>(), generate::generate);
    routes.add(GET, "/api/v1/courses/{id}/questions/export", A::QuestionRead, about("The question bank as a file, with keys; what the format cannot hold is named").query(exchange::QUERY).one::<exchange::FileAttributes>(), exchange::export);
    routes.add(POST, "/api/v1/courses/{id}/questions/import", A::QuestionEdit, about("Reads questions from a file as drafts; each loss is named").body::<exchange::NewFile>().created::<exchange::ImportedAttributes>(), exchange::import);
    routes.add(POST, "/api/v1/assessments", A::AssessmentPublish, about("Makes a quiz from questions of the bank").body::<assessment::NewAssessment>().created::<assessment::AssessmentAttributes>(), assessment::create);
    routes.add(POST, "/api/v1/assessments/{id}/publish", A::AssessmentPublish, about("Publishes a quiz; its questions go live and are closed to the tutor").one::<assessment::AssessmentAttributes>(), assessment::publish);
    routes.add(POST, "/api/v1/assessments/{id}/close", A::AssessmentPublish, about("Closes a quiz: no attempt begins any more").one::<assessment::AssessmentAttributes>(), assessment::close);
    routes.add(PUT, "/api/v1/courses/{id}/prerequisites", A::CourseEdit, about("Says that a lesson needs another, or that it does not").body::<recommendation::PrerequisiteEdit>().one::<recommendation::PrerequisiteAttributes>(), recommendation::set_prerequisite);
    routes.add(POST, "/api/v1/courses", A::CourseCreate, about("Makes a course").body::<course::NewCourse>().created::<course::CourseAttributes>(), course::create);
    routes.add(PUT, "/api/v1/courses/{id}", A::CourseEdit, about("Changes a course; If-Match carries the ETag that was read").body::<course::CourseChange>().one::<course::CourseAttributes>(), course::update);
    routes.add(PUT, "/api/v1/content/{id}/transcript", A::CourseEdit, about("Corrects a transcript as a whole; only what changed is embedded again").body::<transcript::TranscriptChange>().one::<transcript::TranscriptAttributes>(), transcript::set);
    routes.add(POST, "/api/v1/content/{id}/transcript/align", A::CourseEdit, about("Gives a pasted text the times of the transcript; keeps nothing").body::<transcript::PastedText>().one::<transcript::AlignedAttributes>(), transcript::align);
    routes.add(PUT, "/api/v1/courses/{id}/media", A::CourseEdit, about("Protects the recordings of a course, or no longer").body::<playback::CourseMediaChange>().one::<playback::CourseMediaAttributes>(), playback::protect);
    routes.add(PUT, "/api/v1/courses/{id}/ai", A::CourseAi, about("Switches the AI of a course; it bites within five seconds").body::<course_ai::CourseAiChange>().one::<course_ai::CourseAiAttributes>(), course_ai::set);
    routes.add(GET, "/api/v1/usage", A::UsageRead, about("What models were used for, in groups; instructors see their courses and no single user").query(usage::QUERY).many::<usage::UsageAttributes>(), usage::report);
    routes.add(GET, "/api/v1/courses/{id}/enrollments", A::UserRead, about("Lists the enrolments of a course").query(course::PAGE_QUERY).many::<enrollment::EnrollmentAttributes>(), enrollment::of_course);
    routes.add(DELETE, "/api/v1/enrollments/{id}", A::EnrolOthers, about("Ends an enrolment; what was learned stays").one::<enrollment::EnrollmentAttributes>(), enrollment::drop);
    routes.add(POST, "/api/v1/ingestions", A::Ingest, about("Starts an ingestion: an https address as JSON, or a file as multipart/form-data").body::<ingestion::NewIngestion>().created::<ingestion::IngestionAttributes>(), ingestion::create);
    routes.add(GET, "/api/v1/ingestions", A::Ingest, about("Lists the ingestions of a course").query(ingestion::LIST_QUERY).many::<ingestion::IngestionAttributes>(), ingestion::list);
    routes.add(GET, "/api/v1/ingestions/{id}", A::Ingest, about("Reads an ingestion").one::<ingestion::IngestionAttributes>(), ingestion::get);
    routes.add(POST, "/api/v1/courses/{id}/uploads", A::Ingest, about("Begins a file that comes in pieces (tus 1.0.0); it is ingested by its id once it is whole").created::<upload::UploadAttributes>(), upload::create);
    routes.add(GET, "/api/v1/uploads/{id}", A::Ingest, about("Says how much of a file is here; HEAD answers the headers alone").one::<upload::UploadAttributes>(), upload::get);
    routes.add(PATCH, "/api/v1/uploads/{id}", A::Ingest, about("Takes the next piece of a file, from the offset that it names").nothing(), upload::append);
    routes.add(DELETE, "/api/v1/uploads/{id}", A::Ingest, about("Gives a file up that came in pieces").nothing(), upload::end);
    routes.add(POST, "/api/v1/ingestions/plan", A::Ingest, about("Says what an ingestion would bring: documents, time, disk; writes nothing").body::<ingestion::NewIngestion>().one::<ingestion::PlanAttributes>(), ingestion::plan);
    routes.add(POST, "/api/v1/ingestions/{id}/pause", A::Ingest, about("Holds an ingestion; nothing is lost").one::<ingestion::IngestionChange>(), ingestion::pause);
    routes.add(POST, "/api/v1/ingestions/{id}/resume", A::Ingest, about("Lets a held ingestion go on").one::<ingestion::IngestionChange>(), ingestion::resume);
    routes.add(POST, "/api/v1/ingestions/{id}/retry", A::Ingest, about("Does again what failed, and only that").one::<ingestion::IngestionChange>(), ingestion::retry);
    routes.add(POST, "/api/v1/ingestions/{id}/cancel", A::Ingest, about("Calls an ingestion off; the course keeps its earlier version").one::<ingestion::IngestionChange>(), ingestion::cancel);
    routes.add(GET, "/api/v1/sources", A::Ingest, about("Lists the sources of a course").query(source::LIST_QUERY).many::<source::SourceAttributes>(), source::list);
    routes.add(GET, "/api/v1/sources/{id}", A::Ingest, about("Reads a source with what vanished and what could not be read").one::<source::SourceAttributes>(), source::get);
    routes.add(POST, "/api/v1/sources/{id}/refresh", A::Ingest, about("Fetches a source again").created::<source::RefreshAttributes>(), source::refresh);
    routes.add(PUT, "/api/v1/sources/{id}/schedule", A::Ingest, about("Sets the times at which a source is fetched again, in UTC, or ends them").body::<source::ScheduleChange>().one::<source::ScheduleAttributes>(), source::schedule);
    routes.add(DELETE, "/api/v1/sources/{id}", A::Ingest, about("Takes a source out of its course with its lessons and passages").one::<source::RemovedAttributes>(), source::remove);
    routes.add(GET, "/api/v1/progress/stream", A::Ingest, about("Follows an ingestion: INITIAL, then its events; resumes by Last-Event-ID").query(progress::QUERY).stream(), progress::stream);

    // Programs
    use crate::model_api as models;
    routes.lean(POST, "/v1/chat/completions", A::ModelUse, about("OpenAI's protocol: generates text").text(), models::chat_completions);
    routes.lean(POST, "/v1/completions", A::ModelUse, about("OpenAI's protocol: continues a text").text(), models::completions);
    routes.lean(POST, "/v1/embeddings", A::ModelUse, about("OpenAI's protocol: makes vectors").text(), models::openai_embeddings);
    routes.lean(POST, "/v1/audio/transcriptions", A::ModelUse, about("OpenAI's protocol: writes speech down").text(), models::transcriptions);
    routes.lean(GET, "/v1/models", A::ModelUse, about("OpenAI's protocol: lists models").text(), models::models);
    routes.lean(GET, "/v1/models/{model}", A::ModelUse, about("OpenAI's protocol: shows a model").text(), models::model);
    routes.lean(POST, "/api/chat", A::ModelUse, about("Ollama's protocol: generates text").text(), models::ollama_chat);
    routes.lean(POST, "/api/generate", A::ModelUse, about("Ollama's protocol: continues a text").text(), models::ollama_generate);
    routes.lean(POST, "/api/embed", A::ModelUse, about("Ollama's protocol: makes vectors").text(), models::ollama_embed);
    routes.lean(POST, "/api/embeddings", A::ModelUse, about("Ollama's protocol: makes one vector").text(), models::ollama_embeddings);
    routes.lean(GET, "/api/tags", A::ModelUse, about("Ollama's protocol: lists models").text(), models::tags);
    routes.lean(GET, "/api/ps", A::ModelUse, about("Ollama's protocol: lists loaded models").text(), models::ps);
    routes.lean(POST, "/api/show", A::ModelUse, about("Ollama's protocol: shows a model").text(), models::show);
    routes.lean(GET, "/api/version", A::Health, about("Ollama's protocol: tells the version").text(), models::version);

    // Administrators
    routes.add(GET, "/api/v1/institutions", A::InstitutionSettings, about("Lists institutions").many::<institution::InstitutionAttributes>(), institution::list);
    routes.add(POST, "/api/v1/institutions", A::InstitutionCreate, about("Makes an institution").body::<institution::NewInstitution>().created::<institution::InstitutionAttributes>(), institution::create);
    routes.add(GET, "/api/v1/institutions/{id}", A::InstitutionSettings, about("Reads an institution").one::<institution::InstitutionAttributes>(), institution::get);
    routes.add(GET, "/api/v1/users", A::UserRead, about("Lists users").query(user::LIST_QUERY).many::<user::UserAttributes>(), user::list);
    routes.add(POST, "/api/v1/users", A::UserCreate, about("Makes a user").body::<user::NewUser>().created::<user::UserAttributes>(), user::create);
    routes.add(GET, "/api/v1/users/{id}", A::UserRead, about("Reads a user").one::<user::UserAttributes>(), user::get);
    routes.add(PUT, "/api/v1/users/{id}", A::UserCreate, about("Changes or suspends a user").body::<user::UserChange>().one::<user::UserAttributes>(), user::update);
    routes.add(POST, "/api/v1/users/{id}/roles", A::CourseRoleGrant, about("Gives a role").body::<user::RoleChange>().created::<user::RolesAttributes>(), user::grant);
    routes.add(DELETE, "/api/v1/users/{id}/roles", A::CourseRoleGrant, about("Takes a role").body::<user::RoleChange>().one::<user::RolesAttributes>(), user::revoke);
    routes.add(GET, "/api/v1/users/{id}/permissions", A::UserRead, about("Shows what a user may").one::<user::PermissionsAttributes>(), user::permissions);
    routes.add(GET, "/api/v1/users/{id}/enrollments", A::UserRead, about("Lists a user's enrolments").query(course::PAGE_QUERY).many::<enrollment::EnrollmentAttributes>(), user::enrollments);
    routes.add(GET, "/api/v1/jobs/dead", A::JobsView, about("Lists jobs that gave up").query(course::INSTITUTION_QUERY).many::<job::DeadAttributes>(), job::dead);
    routes.add(POST, "/api/v1/jobs/dead/{id}/retry", A::JobsRetry, about("Retries a dead job").query(course::INSTITUTION_QUERY).nothing(), job::retry);
    routes.add(DELETE, "/api/v1/jobs/dead/{id}", A::JobsRetry, about("Drops a dead job").query(course::INSTITUTION_QUERY).nothing(), job::drop);
    routes.add(GET, "/api/v1/quotas", A::QuotaSet, about("Lists the limits of model use").query(quota::QUERY).many::<quota::QuotaAttributes>(), quota::list);
    routes.add(PUT, "/api/v1/quotas", A::QuotaSet, about("Sets the limits of one scope as a whole; none at all takes them away").query(quota::QUERY).body::<quota::QuotaChange>().one::<quota::QuotaAttributes>(), quota::set);
    routes.add(GET, "/api/v1/ingestion-limits", A::QuotaSet, about("Reads what an institution may store and ingest at once").query(source::LIMITS_QUERY).one::<source::IngestLimitsAttributes>(), source::limits);
    routes.add(PUT, "/api/v1/ingestion-limits", A::QuotaSet, about("Sets what an institution may store and ingest at once, as a whole").query(source::LIMITS_QUERY).body::<source::IngestLimitsChange>().one::<source::IngestLimitsAttributes>(), source::set_limits);
    routes.add(GET, "/api/v1/audit", A::AuditRead, about("Reads the audit trail").query(course::INSTITUTION_QUERY).many::<audit::EntryAttributes>(), audit::list);
    routes.add(GET, "/api/v1/models", A::PlatformConfig, about("Shows the models that are served").many::<model::ModelAttributes>(), model::list);
    routes.add(GET, "/metrics", A::PlatformConfig, about("Metrics for Prometheus: on this machine, or with the token for it").text(), health::metrics);
    routes
}
