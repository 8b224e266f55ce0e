//! Users, their roles, permissions and enrolments.

use axum::extract::State;
use axum::response::Response;
use domain::user::{Grant, Role, Scope, User};
use domain::{CourseId, EnrollmentId, Error, InstitutionId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::course::{check_limit, institution};
use crate::routes::enrollment;

pub(super) const LIST_QUERY: &[(&str, &str)] = &[
    ("role", "student, instructor, admin, creator or a longer name"),
    ("status", "active, inactive or suspended"),
    ("institution", "Slug; one's own when missing"),
    ("limit", "At most so many, 1 to 200"),
    ("cursor", "Where the last page ended"),
];

/// What a user is made from.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Slug of the institution; one's own when missing.
    institution: Option<String>,
    /// Login name.
    username: String,
    /// Address.
    email: Option<String>,
    /// Name for people; the login name when missing.
    display_name: Option<String>,
    /// Without one nobody can log in as this user.
    password: Option<String>,
    /// Roles beside that of a learner of the institution.
    #[serde(default)]
    roles: Vec<RoleChange>,
}

/// What may be changed; what is missing stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserChange {
    /// Address.
    email: Option<String>,
    /// Name for people.
    display_name: Option<String>,
    /// `active`, `inactive` or `suspended`.
    status: Option<String>,
}

/// A role to give or take.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RoleChange {
    /// `instructor`, `student` and so on.
    role: String,
    /// In this course; in the whole institution when missing.
    course_id: Option<String>,
}

/// A user.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserAttributes {
    /// Name for people.
    display_name: String,
    /// Login name, for those who may read the whole profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Address, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// State, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

/// A role and where it holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GrantAttributes {
    /// Which.
    role: &'static str,
    /// `global`, `institution` or `course`.
    scope: &'static str,
    /// Of which institution or course.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope_id: Option<String>,
}

impl GrantAttributes {
    pub(super) fn of(grant: &Grant) -> Self {
        let (scope, scope_id) = match grant.scope {
            Scope::Global => ("global", None),
            Scope::Institution(id) => ("institution", Some(id.to_string())),
            Scope::Course(id) => ("course", Some(id.to_string())),
        };
        Self { role: grant.role.as_str(), scope, scope_id }
    }
}

/// The roles of a user.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolesAttributes {
    /// All of them.
    roles: Vec<GrantAttributes>,
}

/// What a user may.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PermissionsAttributes {
    /// Roles and where they hold.
    roles: Vec<GrantAttributes>,
    /// What each gives.
    permissions: Vec<PermissionAttributes>,
}

/// One right.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PermissionAttributes {
    /// Spelling of the action.
    action: String,
    /// By which role.
    role: &'static str,
}

/// Query of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    role: Option<String>,
    status: Option<String>,
    institution: Option<String>,
    #[serde(default)]
    limit: i64,
    cursor: Option<UserId>,
}

/// Query of a user's enrolments.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    #[serde(default)]
    limit: i64,
    cursor: Option<EnrollmentId>,
}

fn resource(user: User, full: bool) -> Resource<UserAttributes> {
    let attributes = UserAttributes {
        display_name: user.display_name,
        username: full.then_some(user.username),
        email: if full { user.email } else { None },
        status: full.then_some(user.status),
    };
    Resource::new("users", user.id, attributes)
        .related("institution", "institutions", user.institution_id)
        .at(user.created_at, user.created_at)
}

fn link(id: UserId) -> String {
    format!("/api/v1/users/{id}")
}

fn grant_of(change: RoleChange, home: InstitutionId) -> ApiResult<Grant> {
    let scope = match change.course_id {
        Some(id) => Scope::Course(id.parse::<CourseId>()?),
        None => Scope::Institution(home),
    };
    Ok(school::role::parse(&change.role, scope)?)
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let limit = check_limit(query.limit)?;
    let role = query
        .role
        .map(|name| {
            Role::parse(&name).ok_or_else(|| Error::invalid("role", "INVALID_FORMAT", format!("\"{name}\" is no role")))
        })
        .transpose()?;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let wanted = school::user::UserQuery { role, status: query.status, after: query.cursor, limit };
    let found = school.user().list(&caller.actor, institution, wanted).await?;
    let page = Page::of(&found, limit, query.cursor.map(|id| id.to_string()), |one| one.user.id.to_string());
    Ok(many("/api/v1/users", found.into_iter().map(|one| resource(one.user, one.full)).collect(), &page))
}

pub(super) async fn create(State(app): State<App>, caller: Caller, Json(new): Json<NewUser>) -> ApiResult<Response> {
    let school = &app.ports.school;
    let home = institution(school, &caller, new.institution.as_deref()).await?;
    let grants = new.roles.into_iter().map(|role| grant_of(role, home)).collect::<ApiResult<Vec<Grant>>>()?;
    let new = school::user::NewUser {
        username: new.username,
        email: new.email,
        display_name: new.display_name,
        password: new.password,
        grants,
    };
    let user = school.user().create(&caller.actor, home, new).await?;
    Ok(created(link(user.id), resource(user, true)))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Response> {
    let profile = app.ports.school.user().get(&caller.actor, id).await?;
    Ok(one(link(id), resource(profile.user, profile.full)))
}

pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UserId>,
    Json(change): Json<UserChange>,
) -> ApiResult<Response> {
    let change =
        school::user::UserChange { email: change.email, display_name: change.display_name, status: change.status };
    let user = app.ports.school.user().update(&caller.actor, id, change).await?;
    Ok(one(link(id), resource(user, true)))
}

fn roles(id: UserId, grants: &[Grant]) -> Resource<RolesAttributes> {
    Resource::new("roles", id, RolesAttributes { roles: grants.iter().map(GrantAttributes::of).collect() })
        .related("user", "users", id)
}

pub(super) async fn grant(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UserId>,
    Json(change): Json<RoleChange>,
) -> ApiResult<Response> {
    let grant = grant_of(change, app.ports.school.role().home(&caller.actor, id).await?)?;
    let grants = app.ports.school.role().grant(&caller.actor, id, grant).await?;
    Ok(created(format!("{}/permissions", link(id)), roles(id, &grants)))
}

pub(super) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UserId>,
    Json(change): Json<RoleChange>,
) -> ApiResult<Response> {
    let grant = grant_of(change, app.ports.school.role().home(&caller.actor, id).await?)?;
    let grants = app.ports.school.role().revoke(&caller.actor, id, grant).await?;
    Ok(one(format!("{}/permissions", link(id)), roles(id, &grants)))
}

pub(super) async fn permissions(State(app): State<App>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Response> {
    let (grants, permissions) = app.ports.school.user().permissions(&caller.actor, id).await?;
    let attributes = PermissionsAttributes {
        roles: grants.iter().map(GrantAttributes::of).collect(),
        permissions: permissions
            .into_iter()
            .map(|one| PermissionAttributes { action: one.action, role: one.role.as_str() })
            .collect(),
    };
    Ok(one(
        format!("{}/permissions", link(id)),
        Resource::new("permissions", id, attributes).related("user", "users", id),
    ))
}

pub(super) async fn enrollments(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UserId>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Response> {
    let limit = check_limit(query.limit)?;
    let found = app.ports.school.user().enrollments(&caller.actor, id, query.cursor, limit).await?;
    let page = Page::of(&found, limit, query.cursor.map(|id| id.to_string()), |one| one.id.to_string());
    let resources = found.into_iter().map(enrollment::resource).collect();
    Ok(many(&format!("{}/enrollments", link(id)), resources, &page))
}
