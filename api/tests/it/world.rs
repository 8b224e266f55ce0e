//! Two institutions with courses, people of every role, content, jobs and canaries in every text.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use api::{Api, ApiOptions, ApiState};
use assistant::Assistant;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use domain::chunk::{Chunk, Sentence};
use domain::document::DocumentKind;
use domain::ingestion::{Outcome, SourceKind};
use domain::user::{Grant, Role, Scope, User};
use domain::{
    AssessmentId, CourseId, EnrollmentId, Error, ErrorKind, IngestionId, InstitutionId, LessonId, Locator, LocatorKind,
    QuestionId, UserId, VersionId,
};
use llm_gateway::Gateway;
use school::Actor;
use school::course::NewCourse;
use school::ingestion::{StartRequest, Starter};
use school::institution::NewInstitution;
use school::session::Client;
use school::user::NewUser;
use school::{LoginLimits, PasswordCost, School, SchoolOptions};
use serde_json::{Value, json};
use store::blob::{LocalBlobs, keep};
use store::sql;
use store::sql::document::NewDocument;
use store::sql::version::{NewLesson, NewModule};
use store::vector::ExactScan;
use store::{Store, testing};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Password of everybody.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn id(&self) -> String {
        self.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.text)).to_owned()
    }
}

/// A course with what is in it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) institution: InstitutionId,
    pub(crate) course: CourseId,
    pub(crate) lesson: LessonId,
    pub(crate) hidden: LessonId,
    pub(crate) ingestion: IngestionId,
    /// A live question and the published quiz that asks it.
    pub(crate) question: QuestionId,
    pub(crate) quiz: AssessmentId,
}

/// Rows by table.
pub(crate) type Tables = BTreeMap<String, Vec<Value>>;

/// Everything that a test asks about.
pub(crate) struct World {
    seen: tokio::sync::Mutex<Option<(i64, Arc<Tables>)>>,
    pub(crate) store: Store,
    pub(crate) school: School,
    pub(crate) router: Router,
    pub(crate) gateway: Gateway,
    pub(crate) home: InstitutionId,
    pub(crate) other: InstitutionId,
    pub(crate) places: HashMap<&'static str, Place>,
    pub(crate) users: HashMap<&'static str, User>,
    pub(crate) tokens: HashMap<&'static str, String>,
    pub(crate) blobs: Arc<LocalBlobs>,
    pub(crate) folder: tempfile::TempDir,
}

/// What a recording with these bytes would have been made into: one sound stream.
fn streams(sha256: &str) -> (Value, Vec<sql::rendition::File>) {
    let audio = json!({ "playlist": "audio.m3u8", "peakBits": 130_000, "meanBits": 128_000, "codec": "mp4a.40.2" });
    let manifest = json!({ "seconds": 9.5, "way": "encoded", "videos": [], "audio": audio });
    let file = |name: &str, media_type: &str| sql::rendition::File {
        name: name.into(),
        blob_sha256: sha256.into(),
        media_type: media_type.into(),
    };
    (manifest, vec![file("audio.m3u8", "application/vnd.apple.mpegurl"), file("audio.m4s", "audio/mp4")])
}

/// Room for files of this server.
pub(crate) const MOST_ROOM: u64 = 32 << 30;

/// Starts nothing: writes the row, as the pipeline would.
struct Rows(Store);

#[async_trait::async_trait]
impl Starter for Rows {
    async fn start(&self, actor: &Actor, request: StartRequest) -> Result<IngestionId, Error> {
        let user = actor.user_id;
        let id = self
            .0
            .write(move |tx| {
                Box::pin(async move {
                    let origin = format!("started {}", uuid::Uuid::now_v7());
                    let (institution, course) = (request.institution, request.course);
                    let source =
                        sql::source::find_or_create(tx, institution, course, request.kind, &origin, "title").await?;
                    sql::ingestion::create(tx, institution, course, source, &json!({}), user).await
                })
            })
            .await?;
        Ok(id)
    }

    async fn room(&self, _institution: InstitutionId, bytes: u64) -> Result<(), Error> {
        let full = || Error::new(ErrorKind::Unavailable, "no room").with_code("DISK_FULL");
        if bytes > MOST_ROOM { Err(full()) } else { Ok(()) }
    }

    async fn plan(&self, _actor: &Actor, _request: StartRequest) -> Result<Value, Error> {
        let changes = json!({ "new": 1, "changed": 0, "unchanged": 0, "again": 0, "vanished": 0, "nothing": false });
        Ok(json!({
            "title": "title", "commit": null, "fingerprint": "one", "documents": 1, "bytes": 1, "passages": 1.0,
            "questions": 0, "changes": changes, "estimate": {}, "disk": {}, "warnings": [], "failures": [],
        }))
    }

    async fn removed(&self, _institution: InstitutionId, _course: CourseId, _version: VersionId) {}
}

pub(crate) fn cheap() -> SchoolOptions {
    SchoolOptions {
        password_cost: PasswordCost { memory_kib: 64, passes: 1, at_once: 4 },
        login_limits: LoginLimits { per_address: 100_000, overall: 100_000, ..LoginLimits::default() },
        ..SchoolOptions::default()
    }
}

impl World {
    pub(crate) async fn new(store: Store) -> Self {
        Self::with(store, cheap(), ApiOptions::default()).await
    }

    pub(crate) async fn with(store: Store, options: SchoolOptions, api: ApiOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let school = School::with(store.clone(), options).unwrap();
        school.set_starter(Arc::new(Rows(store.clone())));
        let blobs = Arc::new(LocalBlobs::new(folder.path()));
        let gateway = Gateway::default();
        let scan = ExactScan::new(store.clone());
        let state = ApiState {
            school: school.clone(),
            assistant: Assistant::new(store.clone(), scan.clone(), gateway.clone()),
            recommender: recommender::Recommender::new(school.clone(), scan.clone()),
            gateway: gateway.clone(),
            blobs: blobs.clone(),
            index: Arc::new(scan),
            upload_dir: folder.path().join("uploads"),
        };
        let router = Api::with(state, api, CancellationToken::new()).into_router();
        let nobody = Actor::operator(InstitutionId(uuid::Uuid::nil()));
        let mut institutions = Vec::new();
        for (slug, name) in [("a-school", "School A"), ("b-school", "School canary-oth")] {
            let new = NewInstitution { slug: slug.into(), name: name.into() };
            institutions.push(school.institution().create(&nobody, new).await.unwrap().id);
        }
        let (home, other) = (institutions[0], institutions[1]);
        let mut world = Self {
            seen: tokio::sync::Mutex::default(),
            store,
            school,
            router,
            gateway,
            home,
            other,
            places: HashMap::new(),
            users: HashMap::new(),
            tokens: HashMap::new(),
            blobs: blobs.clone(),
            folder,
        };
        world.fill(&blobs).await;
        world
    }

    async fn fill(&mut self, blobs: &Arc<LocalBlobs>) {
        let cc = self.person("CC", self.home, "cc", "maker").await;
        let maker =
            Actor::user(cc.id, self.home, "cc", vec![grant(Role::CourseCreator, Scope::Institution(self.home))]);
        let (a, b) = (self.operator(), Actor::operator(self.other));
        for (name, actor, institution, status, visibility, mark) in [
            ("own", &maker, self.home, "published", "private", "plain"),
            ("draft", &maker, self.home, "draft", "private", "canary-draft"),
            ("sibling", &a, self.home, "published", "private", "canary-sib"),
            ("sibling draft", &a, self.home, "draft", "private", "canary-sib"),
            ("open", &a, self.home, "published", "institution", "open"),
            ("public", &a, self.home, "published", "public", "public"),
            ("other", &b, self.other, "published", "private", "canary-oth"),
            ("other draft", &b, self.other, "draft", "private", "canary-oth"),
            ("other institution", &b, self.other, "published", "institution", "canary-oth"),
            ("foreign public", &b, self.other, "published", "public", "public"),
        ] {
            let slug = Some(format!("{mark}-{}", name.replace(' ', "-")));
            let new = NewCourse {
                slug,
                title: format!("{mark} title"),
                description: format!("{mark} description"),
                visibility: Some(visibility.into()),
                metadata: Some(json!({ "note": format!("{mark} metadata") })),
                ..NewCourse::default()
            };
            let course = self.school.course().create(actor, institution, new).await.unwrap().id;
            let mut place = self.content(blobs, institution, course, mark).await;
            (place.question, place.quiz) = crate::quizzes::ask(&self.school, institution, course, mark).await;
            let operator = Actor::operator(institution);
            let change = school::course::CourseChange { status: Some(status.into()), ..Default::default() };
            self.school.course().update(&operator, course, change, None).await.unwrap();
            self.places.insert(name, place);
        }
        self.people().await;
        for (institution, mark) in [(self.home, "plain"), (self.other, "canary-oth")] {
            self.dead_job(institution, mark).await;
        }
    }

    async fn people(&mut self) {
        let own = Scope::Course(self.places["own"].course);
        let draft = Scope::Course(self.places["draft"].course);
        let school = Scope::Institution(self.home);
        for (column, name, grants) in [
            ("GA", "ga", vec![grant(Role::GlobalAdmin, Scope::Global)]),
            ("IA", "ia", vec![grant(Role::InstitutionAdmin, school)]),
            ("IN", "in", vec![grant(Role::Instructor, own), grant(Role::Instructor, draft)]),
            ("TA", "ta", vec![grant(Role::TeachingAssistant, own), grant(Role::TeachingAssistant, draft)]),
            ("GT", "gt", vec![grant(Role::GroupTutor, own), grant(Role::GroupTutor, draft)]),
            ("OB", "ob", vec![grant(Role::Observer, school)]),
            ("AU", "au", vec![grant(Role::Auditor, school)]),
        ] {
            let user = self.person(column, self.home, name, "plain").await;
            for one in grants {
                self.school.role().grant(&self.operator(), user.id, one).await.unwrap();
            }
        }
        let maker = grant(Role::CourseCreator, school);
        self.school.role().grant(&self.operator(), self.users["CC"].id, maker).await.unwrap();
        // Everybody is a learner of the institution by default; the matrix wants each role by itself.
        for column in ["GA", "IA", "CC", "IN", "TA", "GT", "OB", "AU"] {
            let learner = grant(Role::Learner, school);
            self.school.role().revoke(&self.operator(), self.users[column].id, learner).await.unwrap();
        }
        for (column, institution, name, place, mark) in [
            ("LE", self.home, "le", "own", "plain"),
            ("classmate", self.home, "mate", "own", "plain"),
            ("sibling", self.home, "canary-sib", "sibling", "canary-sib"),
            ("other", self.other, "canary-oth", "other", "canary-oth"),
        ] {
            let user = self.person(column, institution, name, mark).await;
            self.enrol(place, user.id).await;
        }
        let draft = grant(Role::Learner, Scope::Course(self.places["draft"].course));
        self.school.role().grant(&self.operator(), self.users["LE"].id, draft).await.unwrap();
        for column in ["GA", "IA", "CC", "IN", "TA", "GT", "LE", "OB", "AU", "classmate", "sibling"] {
            let name = self.users[column].username.clone();
            let token = self.login("a-school", &name).await;
            self.tokens.insert(column, token);
        }
        let name = self.users["other"].username.clone();
        let token = self.login("b-school", &name).await;
        self.tokens.insert("other", token);
    }

    pub(crate) fn operator(&self) -> Actor {
        Actor::operator(self.home)
    }

    pub(crate) async fn person(
        &mut self,
        key: &'static str,
        institution: InstitutionId,
        name: &str,
        mark: &str,
    ) -> User {
        let user = self.stranger(institution, name, mark).await;
        self.users.insert(key, user.clone());
        user
    }

    /// A user that nothing else knows of.
    pub(crate) async fn stranger(&self, institution: InstitutionId, name: &str, mark: &str) -> User {
        let new = NewUser {
            username: name.into(),
            email: Some(format!("{name}.{mark}@example.org")),
            display_name: Some(format!("{mark} {name}")),
            password: Some(PASSWORD.into()),
            grants: Vec::new(),
        };
        self.school.user().create(&Actor::operator(institution), institution, new).await.unwrap()
    }

    pub(crate) async fn enrol(&self, place: &str, user: UserId) -> EnrollmentId {
        let place = &self.places[place];
        let operator = Actor::operator(place.institution);
        self.school.enrollment().enrol(&operator, place.course, Some(user)).await.unwrap().id
    }

    pub(crate) async fn login(&self, institution: &str, name: &str) -> String {
        let client = Client { address: "192.0.2.1".into(), agent: "test".into() };
        self.school.session().login(Some(institution), name, PASSWORD, &client).await.unwrap().access
    }

    /// Makes a login look an hour old; it goes on being a login.
    pub(crate) async fn age(&self, token: &str) {
        use sha2::{Digest as _, Sha256};
        let hash = hex::encode(Sha256::digest(token.as_bytes()));
        let sql =
            format!("UPDATE tokens SET authenticated_at = authenticated_at - 3600000000 WHERE secret_hash = '{hash}'");
        assert_eq!(testing::execute(&self.store, &sql).await.unwrap(), 1);
    }

    /// Lets every login so far last a day: a slow machine may ask for longer than one lasts.
    pub(crate) async fn lengthen_logins(&self) {
        testing::execute(&self.store, "UPDATE tokens SET expires_at = expires_at + 86400000000").await.unwrap();
    }

    /// Writes what a quiz of the own course writes when somebody answered a question.
    pub(crate) async fn answered(&self, who: &str, question: &str) {
        let place = &self.places["own"];
        let payload = json!({ "questionId": question, "lessonId": place.lesson, "correct": true });
        let event = sql::event::NewEvent::new("quiz.answered", self.home, question)
            .user(Some(self.users[who].id))
            .course(place.course)
            .payload(payload);
        self.store.write(move |tx| Box::pin(async move { sql::event::append(tx, &event).await })).await.unwrap();
    }

    pub(crate) async fn dead_job(&self, institution: InstitutionId, mark: &str) -> String {
        let id = uuid::Uuid::now_v7().to_string();
        let sql = format!(
            "INSERT INTO jobs (id, institution_id, kind, payload, idem_key, state, attempts, crashes, max_attempts, run_at, \
             priority, last_error, payload_hash, created_at, updated_at) VALUES \
             ('{id}', '{institution}', 'embed_chunks', '{{\"text\":\"{mark}\"}}', '{id}', 'dead', 5, 0, 5, 0, 0, '{mark}', 'x', 1, 1)"
        );
        testing::execute(&self.store, &sql).await.unwrap();
        id
    }

    async fn content(
        &self,
        blobs: &Arc<LocalBlobs>,
        institution: InstitutionId,
        course: CourseId,
        mark: &str,
    ) -> Place {
        let bytes = format!("{mark} bytes of a page of the course").into_bytes();
        let blob = keep(&self.store, &**blobs, institution, bytes, "text/markdown").await.unwrap();
        let mark = mark.to_owned();
        let ingestion = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let origin = format!("https://github.com/{mark}/course");
                    let source =
                        sql::source::find_or_create(tx, institution, course, SourceKind::Git, &origin, &mark).await?;
                    let ingestion =
                        sql::ingestion::create(tx, institution, course, source, &json!({ "url": origin }), None)
                            .await?;
                    let version = sql::version::create(tx, institution, source, "one", None, &json!({})).await?;
                    let mut lessons = Vec::new();
                    for (position, hidden) in [(0, false), (1, true)] {
                        let text = if hidden && mark == "plain" { "canary-draft".to_owned() } else { mark.clone() };
                        let new = NewDocument {
                            institution_id: institution,
                            course_id: course,
                            version_id: version,
                            path: format!("{text}-{position}.md"),
                            title: format!("{text} document"),
                            kind: DocumentKind::Markdown,
                            blob_sha256: blob.sha256.clone(),
                            extra: json!({}),
                            position,
                        };
                        let document = sql::document::insert(tx, &new).await?;
                        let words = format!("{text} ownership moves a value from one binding to another binding.");
                        let locator = Locator::new(LocatorKind::Lines, 1, 3);
                        let chunk = Chunk {
                            heading_path: vec![format!("{text} heading")],
                            sentences: vec![Sentence { start: 0, end: words.len(), locator }],
                            text: words,
                            locator,
                            flagged: false,
                        };
                        sql::chunk::insert_many(tx, institution, course, source, version, document, position, &[chunk])
                            .await?;
                        sql::document::set_chunked(tx, institution, document, &format!("{text} document"), &[]).await?;
                        lessons.push(NewLesson {
                            title: format!("{text} lesson"),
                            kind: "DOCUMENT".into(),
                            document_id: Some(document),
                            hidden,
                        });
                    }
                    let module = NewModule { title: format!("{mark} module"), lessons };
                    sql::version::publish(tx, institution, course, source, version, &[module]).await?;
                    let (manifest, files) = streams(&blob.sha256);
                    let kind = sql::rendition::Kind::Hls;
                    sql::rendition::put(tx, institution, &blob.sha256, kind, &manifest, &files).await?;
                    sql::ingestion::set_version(tx, institution, ingestion, version).await?;
                    sql::ingestion::finish(tx, institution, ingestion, Outcome::Succeeded, None).await?;
                    Ok(ingestion)
                })
            })
            .await
            .unwrap();
        let lessons =
            self.store.read(move |tx| Box::pin(sql::lesson::in_course(tx, institution, course, true))).await.unwrap();
        let find = |hidden: bool| lessons.iter().find(|lesson| lesson.hidden == hidden).unwrap().id;
        let (question, quiz) = (QuestionId(uuid::Uuid::nil()), AssessmentId(uuid::Uuid::nil()));
        Place { institution, course, lesson: find(false), hidden: find(true), ingestion, question, quiz }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let read = tokio::time::timeout(std::time::Duration::from_secs(20), to_bytes(body, 16 << 20));
        let bytes = read.await.expect("the answer ends").unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn call(&self, token: Option<&str>, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(request(token, method, path, body, &[])).await
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        self.call(self.tokens.get(who).map(String::as_str), Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, who: &str, path: &str, body: Value) -> Answer {
        self.call(self.tokens.get(who).map(String::as_str), Method::POST, path, Some(body)).await
    }

    /// Every row of every table; read again only when something was written since.
    pub(crate) async fn tables(&self) -> Arc<Tables> {
        let mut seen = self.seen.lock().await;
        let mark = testing::mark(&self.store).await.unwrap();
        if let Some((_, tables)) = seen.as_ref().filter(|(at, _)| *at == mark) {
            return Arc::clone(tables);
        }
        let mut tables = testing::dump(&self.store).await.unwrap();
        // When a key was last used is noted whatever it then may.
        for key in tables.get_mut("api_keys").into_iter().flatten() {
            key.as_object_mut().unwrap().remove("last_used_at").unwrap();
        }
        let tables = Arc::new(tables);
        *seen = Some((mark, Arc::clone(&tables)));
        tables
    }
}

pub(crate) fn grant(role: Role, scope: Scope) -> Grant {
    Grant { role, scope }
}

pub(crate) fn request(
    token: Option<&str>,
    method: Method,
    path: &str,
    body: Option<Value>,
    headers: &[(&str, &str)],
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match body {
        Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    }
    .unwrap()
}
