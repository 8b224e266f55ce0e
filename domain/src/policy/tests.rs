use super::*;

fn id<T: From<uuid::Uuid>>(number: u128) -> T {
    uuid::Uuid::from_u128(number).into()
}

fn institution(number: u128) -> InstitutionId {
    InstitutionId(id(number))
}

fn course(number: u128) -> CourseId {
    CourseId(id(number))
}

fn user(number: u128) -> UserId {
    UserId(id(number))
}

/// Every role in every scope that can hold it, in institution 1 with the courses 1 and 2.
fn actors() -> Vec<Actor> {
    let scopes = [Scope::Global, Scope::Institution(institution(1)), Scope::Course(course(1))];
    let mut actors = vec![Actor::guest(institution(0)), Actor::operator(institution(1))];
    for role in Role::ALL {
        for scope in scopes.into_iter().filter(|scope| may_hold(role, *scope)) {
            for (fresh, reason) in [(false, None), (true, None), (false, Some("why")), (true, Some("why"))] {
                let mut actor = Actor::user(user(1), institution(1), "somebody", vec![Grant { role, scope }]);
                actor.fresh = fresh;
                actor.reason = reason.map(str::to_owned);
                actors.push(actor);
            }
        }
    }
    actors
}

fn course_subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for home in [1, 2] {
        for number in [1, 2] {
            for owner in [1, 2] {
                for public in [false, true] {
                    // Course 1 is of institution 1; an id is never in two institutions.
                    let number = if home == 2 { number + 10 } else { number };
                    subjects.push(Subject {
                        institution: institution(home),
                        courses: vec![course(number)],
                        owner: Some(user(if home == 2 { owner + 10 } else { owner })),
                        user: None,
                        public,
                    });
                }
            }
        }
    }
    subjects
}

#[test]
fn the_filter_of_a_list_shows_exactly_what_the_check_of_each_allows() {
    let mut compared = 0;
    for actor in actors() {
        for action in Action::ALL {
            for subject in course_subjects() {
                let seen = visible(&actor, *action, subject.institution);
                let listed = seen.all
                    || (seen.owner.is_some() && seen.owner == subject.owner)
                    || subject.courses.iter().any(|course| seen.courses.contains(course))
                    || (seen.public && subject.public);
                let allowed = decide(&actor, *action, &subject).allowed();
                assert_eq!(listed, allowed, "{action:?} {subject:?} {:?}", actor.grants);
                compared += 1;
            }
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn a_role_of_one_institution_reaches_nothing_of_another_but_what_is_public() {
    for actor in actors().into_iter().filter(|actor| !actor.operator) {
        if actor.grants.iter().any(|grant| grant.scope == Scope::Global) {
            continue;
        }
        for action in Action::ALL {
            let foreign = Subject { user: Some(user(9)), owner: Some(user(9)), ..Subject::institution(institution(2)) };
            let open = cell(*action, Role::Guest).reach == Reach::Anywhere;
            assert!(open || !decide(&actor, *action, &foreign).allowed(), "{action:?} {:?}", actor.grants);
        }
    }
}

#[test]
fn the_condition_that_is_missing_is_named() {
    let mut admin =
        Actor::user(user(1), institution(1), "admin", vec![Grant { role: Role::GlobalAdmin, scope: Scope::Global }]);
    let anywhere = Subject::institution(institution(2));
    assert_eq!(decide(&admin, Action::PlatformConfig, &anywhere), Decision::NeedsFresh);
    assert_eq!(decide(&admin, Action::ReadPublished, &anywhere), Decision::NeedsReason);
    admin.fresh = true;
    admin.reason = Some("ticket".into());
    assert!(decide(&admin, Action::PlatformConfig, &anywhere).allowed());
    assert_eq!(decide(&admin, Action::ReadPublished, &anywhere), Decision::Allowed { cap: None, audited: true });
}

#[test]
fn nobody_hands_out_a_role_above_the_own_cap() {
    let here = Subject { courses: vec![course(1)], ..Subject::institution(institution(1)) };
    let order = |role: Role| Role::ALL.iter().position(|known| *known == role).unwrap();
    for actor in actors().into_iter().filter(|actor| !actor.operator) {
        let Some(own) = actor.grants.first().map(|grant| grant.role) else { continue };
        for role in Role::ALL {
            for scope in [Scope::Global, Scope::Institution(institution(1)), Scope::Course(course(1))] {
                if may_grant(&actor, role, scope, &here).allowed() {
                    assert!(order(role) >= order(own), "{own:?} gives {role:?}");
                    assert!(own != Role::Instructor || order(role) > order(own), "an instructor makes an instructor");
                }
            }
        }
    }
}
