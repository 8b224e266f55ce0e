//! A small course on sound: five lessons with links back and terms, and people who take it.

use domain::chunk::{Chunk, Sentence};
use domain::document::{DocumentKind, Link, Notes};
use domain::enrollment::Enrollment;
use domain::ingestion::SourceKind;
use domain::policy::Actor;
use domain::user::{Grant, Role, Scope, User};
use domain::{CourseId, InstitutionId, LessonId, Locator, LocatorKind};
use recommender::Recommender;
use school::course::NewCourse;
use school::institution::NewInstitution;
use school::user::NewUser;
use school::{PasswordCost, School, SchoolOptions};
use serde_json::json;
use store::Store;
use store::sql::document::NewDocument;
use store::sql::event::NewEvent;
use store::sql::version::{NewLesson, NewModule};
use store::sql::{self};
use store::vector::ExactScan;

/// Path, links and terms of each page, in order, with its words.
const PAGES: [(&str, &[&str], &[&str], &str); 5] = [
    ("sound.md", &[], &["amplitude"], "Sound is moving air. Its amplitude is the size of the movement of air."),
    ("level.md", &["sound.html"], &["decibel"], "A decibel is a ratio of sound levels. Amplitude gives the level."),
    ("sampling.md", &[], &["sample rate"], "The sample rate says how often the air is measured by a converter."),
    (
        "alias.md",
        &["sampling.md"],
        &["alias"],
        "An alias comes from a low sample rate; a higher sample rate and a filter keep the sample rate safe.",
    ),
    ("filter.md", &["alias.md"], &["filter"], "A filter removes high sound before the converter measures the air."),
];

pub(crate) struct Taught {
    pub(crate) store: Store,
    pub(crate) school: School,
    pub(crate) recommender: Recommender,
    pub(crate) home: InstitutionId,
    pub(crate) course: CourseId,
    pub(crate) lessons: Vec<LessonId>,
}

impl Taught {
    pub(crate) async fn new(store: Store) -> Self {
        let cost = PasswordCost { memory_kib: 64, passes: 1, at_once: 2 };
        let school = School::with(store.clone(), SchoolOptions { password_cost: cost, ..SchoolOptions::default() });
        let school = school.unwrap();
        let nobody = Actor::operator(InstitutionId(uuid::Uuid::nil()));
        let new = NewInstitution { slug: "home".into(), name: "Home".into() };
        let home = school.institution().create(&nobody, new).await.unwrap().id;
        let operator = Actor::operator(home);
        let new = NewCourse { title: "Sound".into(), status: Some("published".into()), ..NewCourse::default() };
        let course = school.course().create(&operator, home, new).await.unwrap().id;
        let lessons = publish(&store, home, course).await;
        let recommender = Recommender::new(school.clone(), ExactScan::new(store.clone()));
        Self { store, school, recommender, home, course, lessons }
    }

    pub(crate) fn operator(&self) -> Actor {
        Actor::operator(self.home)
    }

    pub(crate) async fn learner(&self, name: &str) -> (User, Enrollment) {
        let new = NewUser { username: name.into(), ..NewUser::default() };
        let user = self.school.user().create(&self.operator(), self.home, new).await.unwrap();
        let enrolled = self.school.enrollment().enrol(&self.operator(), self.course, Some(user.id)).await.unwrap();
        (user, enrolled)
    }

    pub(crate) async fn teacher(&self, name: &str) -> Actor {
        let new = NewUser { username: name.into(), ..NewUser::default() };
        let user = self.school.user().create(&self.operator(), self.home, new).await.unwrap();
        let grant = Grant { role: Role::Instructor, scope: Scope::Course(self.course) };
        self.school.role().grant(&self.operator(), user.id, grant).await.unwrap();
        self.acting(name).await
    }

    pub(crate) async fn acting(&self, name: &str) -> Actor {
        self.school.session().impersonate(self.home, name).await.unwrap()
    }

    pub(crate) async fn read(&self, who: &(User, Enrollment), lesson: usize) {
        let actor = self.acting(&who.0.username).await;
        let report = school::enrollment::Report {
            lesson_id: self.lessons[lesson],
            position: Some(100.0),
            page: None,
            seconds_watched: None,
        };
        self.school.enrollment().report(&actor, who.1.id, report).await.unwrap();
    }

    /// Writes what a quiz writes when a question was answered.
    pub(crate) async fn answered(&self, who: &User, lesson: usize, question: &str, correct: bool) {
        let payload = json!({
            "questionId": question, "lessonId": self.lessons[lesson], "correct": correct, "about": "What is the amplitude of a sound?",
        });
        let event =
            NewEvent::new("quiz.answered", self.home, question).user(Some(who.id)).course(self.course).payload(payload);
        self.store.write(move |tx| Box::pin(async move { sql::event::append(tx, &event).await })).await.unwrap();
    }
}

async fn publish(store: &Store, institution: InstitutionId, course: CourseId) -> Vec<LessonId> {
    store
        .write(move |tx| {
            Box::pin(async move {
                let source =
                    sql::source::find_or_create(tx, institution, course, SourceKind::Dir, "/sound", "Sound").await?;
                let version = sql::version::create(tx, institution, source, "one", None, &json!({})).await?;
                let mut lessons = Vec::new();
                for (position, (path, links, terms, words)) in (0..).zip(PAGES) {
                    let new = NewDocument {
                        institution_id: institution,
                        course_id: course,
                        version_id: version,
                        path: path.into(),
                        title: path.into(),
                        kind: DocumentKind::Markdown,
                        blob_sha256: String::new(),
                        extra: json!({}),
                        position,
                    };
                    let id = sql::document::insert(tx, &new).await?;
                    let locator = Locator::new(LocatorKind::Lines, 1, 1);
                    let chunk = Chunk {
                        heading_path: vec![path.into()],
                        sentences: vec![Sentence { start: 0, end: words.len(), locator }],
                        text: words.into(),
                        locator,
                        flagged: false,
                    };
                    sql::chunk::insert_many(tx, institution, course, source, version, id, position, &[chunk]).await?;
                    sql::document::set_chunked(tx, institution, id, path, &[]).await?;
                    let row = sql::document::get(tx, institution, id).await?.unwrap();
                    let link = |to: &&str| Link { to: (*to).into(), text: "there".into() };
                    let notes = Notes {
                        links: links.iter().map(link).collect(),
                        terms: terms.iter().map(|term| (*term).to_owned()).collect(),
                    };
                    sql::document::set_facts(tx, &row, &notes, serde_json::Map::new()).await?;
                    lessons.push(NewLesson {
                        title: path.trim_end_matches(".md").into(),
                        kind: "DOCUMENT".into(),
                        document_id: Some(id),
                        hidden: false,
                    });
                }
                let module = NewModule { title: "Sound".into(), lessons };
                sql::version::publish(tx, institution, course, source, version, &[module]).await?;
                let lessons = sql::lesson::in_course(tx, institution, course, false).await?;
                Ok(lessons.into_iter().map(|lesson| lesson.id).collect())
            })
        })
        .await
        .unwrap()
}
