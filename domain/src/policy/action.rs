//! Everything that the table speaks of.

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// Something that a caller may want to do; every route has exactly one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The spelling used in the audit trail and in permissions.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

actions! {
    /// See whether the process lives and is ready.
    Health = "health.read",
    /// Read the description of the interface.
    Docs = "docs.read",
    /// Log in, refresh a login.
    Login = "session.start",
    /// Read or end one's own session.
    OwnSession = "session.own",
    /// Make or suspend an institution.
    InstitutionCreate = "institution.create",
    /// Read an institution's settings.
    InstitutionSettings = "institution.settings",
    /// Platform configuration, models, secrets, metrics.
    PlatformConfig = "platform.config",
    /// Make, import, change or suspend a user.
    UserCreate = "user.create",
    /// Read a user's profile.
    UserRead = "user.read",
    /// Give or take a role in an institution or everywhere.
    InstitutionRoleGrant = "role.grant_institution",
    /// Give or take a role in a course.
    CourseRoleGrant = "role.grant_course",
    /// Make a course.
    CourseCreate = "course.create",
    /// Change, publish or archive a course.
    CourseEdit = "course.edit",
    /// See the card (title, description, status) of a published course.
    CourseSee = "course.see",
    /// See the card of a course that is not published.
    CourseSeeDraft = "course.see_draft",
    /// Ingest an external source into a course and follow its progress.
    Ingest = "content.ingest",
    /// Read, search or play published content.
    ReadPublished = "content.read",
    /// Read content that is not published, or hidden.
    ReadUnpublished = "content.read_unpublished",
    /// Enrol oneself.
    EnrolSelf = "enrollment.self",
    /// Enrol and unenrol others.
    EnrolOthers = "enrollment.others",
    /// Report what one did in a lesson.
    ProgressReport = "progress.report",
    /// Ask the tutor of a course.
    TutorChat = "tutor.chat",
    /// Read the question bank with its answers.
    QuestionRead = "question.read",
    /// Make, change, review and retire questions.
    QuestionEdit = "question.edit",
    /// Have questions drafted.
    QuizGenerate = "question.generate",
    /// Make, publish and close quizzes.
    AssessmentPublish = "assessment.publish",
    /// Take a quiz: oneself, or as a preview that never counts.
    AttemptTake = "attempt.take",
    /// Attempt an item of a SCORM package: oneself, or as a preview that never counts.
    ScormAttempt = "scorm.attempt",
    /// Read what a package committed for a learner.
    ScormTrace = "scorm.trace",
    /// Hand in a text: a learner, never a preview.
    SubmissionCreate = "submission.create",
    /// Read what was handed in.
    SubmissionRead = "submission.read",
    /// Have a grade proposed.
    GradePropose = "grade.propose",
    /// Set a grade, or override one.
    GradeSet = "grade.set",
    /// Release a grade to the learner.
    GradeRelease = "grade.release",
    /// Read proposals and grades that are not released.
    GradeDraftRead = "grade.read_unreleased",
    /// Take grades out of the school as a file.
    GradeExport = "grade.export",
    /// Appeal against one's own grade.
    AppealFile = "appeal.file",
    /// Read released grades and results.
    GradeRead = "grade.read",
    /// Read what is recommended: one's own, or figures over a course.
    RecommendationsRead = "recommendations.read",
    /// See and answer one's own reviews.
    ReviewOwn = "review.own",
    /// Read what one learner masters.
    LearnerAnalytics = "analytics.learner",
    /// See jobs and dead letters.
    JobsView = "jobs.view",
    /// Retry or drop a dead job.
    JobsRetry = "jobs.retry",
    /// Read the audit trail.
    AuditRead = "audit.read",
    /// Make, list and revoke one's own API keys.
    KeyOwn = "key.own",
    /// List and revoke the API keys of others.
    KeyAdmin = "key.admin",
    /// Call the model API with a key.
    ModelUse = "model.use",
    /// Read and call off one's own durable requests to models.
    ModelRequestOwn = "model_request.own",
    /// Read and set limits of model use.
    QuotaSet = "quota.set",
    /// Read what models were used for, and by whom.
    UsageRead = "usage.read",
    /// Switch the AI of a course off and on.
    CourseAi = "course.ai",
}
