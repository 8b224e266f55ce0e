//! What `yt-dlp` says on standard error, as a typed failure that says what to do.

use domain::ingestion::{Failure, failure};

/// Words that tell a failure, the telling ones first: "private" also asks for a login, a block by
/// country also says "unavailable", a limit also says "not available".
const SIGNS: &[(&str, &[&str])] = &[
    (failure::INTERNAL, &["no space left on device", "errno 28"]),
    (
        failure::RATE_LIMITED,
        &[
            "http error 429",
            "too many requests",
            "rate-limited by youtube",
            "rate limited",
            "ip is likely being blocked",
            "captcha challenge",
        ],
    ),
    (failure::VIDEO_PRIVATE, &["private video", "video is private", "playlist is private"]),
    (
        failure::LIVE_NOT_ENDED,
        &["live event will begin", "premieres in", "premiere will begin", "live event has ended", "currently live"],
    ),
    (
        failure::LOGIN_WANTED,
        &[
            "not a bot",
            "confirm your age",
            "age-restricted",
            "age restricted",
            "inappropriate for some users",
            "members-only",
            "channel's members",
            "channel’s members",
            "join this channel",
            "music premium members",
            "requires payment",
            "login details are needed",
            "only available for registered users",
        ],
    ),
    (
        failure::GEO_BLOCKED,
        &["in your country", "geo restriction", "geo-restrict", "from your location", "in your region", "your region."],
    ),
    (
        failure::OFFLINE,
        &[
            "failed to resolve",
            "name resolution",
            "name or service not known",
            "no address associated",
            "getaddrinfo",
            "connection refused",
            "connection reset",
            "connection aborted",
            "remote end closed",
            "network is unreachable",
            "no route to host",
            "unable to connect to proxy",
            "certificate_verify_failed",
            "certificate verify failed",
            "timed out",
        ],
    ),
    (
        failure::NOT_FOUND,
        &[
            "playlist does not exist",
            "channel does not exist",
            "playlist type is unviewable",
            "does not have a videos tab",
        ],
    ),
    (
        failure::VIDEO_REMOVED,
        &[
            "has been removed",
            "video unavailable",
            "no longer available",
            "isn't available anymore",
            "has been terminated",
            "does not exist",
            "copyright claim",
            "video is not available",
            "recording is not available",
            "http error 404",
            "http error 410",
        ],
    ),
    (failure::UNSUPPORTED_FORMAT, &["unsupported url"]),
    (failure::LOGIN_WANTED, &["--cookies", "http error 401"]),
];

/// The failure that errors tell; what nobody knows is a program that no longer understands the site.
pub(in crate::source) fn failed(said: &str) -> Failure {
    sign(said, "ERROR:").unwrap_or_else(|| {
        typed(failure::EXTRACTOR_BROKEN, lines(said, "ERROR:").next().unwrap_or("it gave no reason"))
    })
}

/// The failure that warnings tell, where a run that ended well brought nothing.
pub(in crate::source) fn warned(said: &str) -> Option<Failure> {
    sign(said, "WARNING:")
}

fn lines<'s>(said: &'s str, mark: &'static str) -> impl Iterator<Item = &'s str> {
    said.lines().filter_map(move |line| line.trim_start().strip_prefix(mark)).map(str::trim)
}

fn sign(said: &str, mark: &'static str) -> Option<Failure> {
    lines(said, mark).find_map(|line| {
        let lower = line.to_lowercase();
        let (code, _) = SIGNS.iter().find(|(_, words)| words.iter().any(|word| lower.contains(word)))?;
        Some(typed(code, line))
    })
}

/// A failure of that type; the site's own words are shown where they help a person.
pub(in crate::source) fn typed(code: &str, line: &str) -> Failure {
    let reason: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
    let message = match code {
        failure::RATE_LIMITED => "the site refuses this address of the network for a while because of too many requests; wait an hour and run the same command again".to_owned(),
        failure::VIDEO_PRIVATE => "the video is private; ask its owner to make it unlisted or public, or ingest the file with \"ingest video\"".to_owned(),
        failure::VIDEO_REMOVED => "the video is not there, or no longer; check the address or take it out of the list".to_owned(),
        failure::NOT_FOUND => "there is no such playlist or channel, or it is not public; check the address".to_owned(),
        failure::GEO_BLOCKED => "the video is not shown in the country of this machine; fetch it from a machine where it is, or ingest the file with \"ingest video\"".to_owned(),
        failure::LOGIN_WANTED => "the site wants an account (age, members only, or a check for robots) and Lyceum signs in nowhere; wait, use a machine on another network, or ingest the file with \"ingest video\"".to_owned(),
        failure::LIVE_NOT_ENDED => "the live stream or premiere has not ended or is not yet stored; run the same command again when it can be watched whole".to_owned(),
        failure::OFFLINE => format!("the site cannot be reached from this machine; check network, name service and certificates and run the same command again ({reason})"),
        failure::UNSUPPORTED_FORMAT => "the page shows no recording that can be found; give the page of the recording itself, or ingest the file with \"ingest video\"".to_owned(),
        failure::INTERNAL => "there is no space left on the disk; make room and run the same command again".to_owned(),
        _ => format!("yt-dlp no longer understands the site; update it with \"python3 -m pip install -U yt-dlp\" or \"yt-dlp -U\", see that deno or another JavaScript runtime is installed, and run the same command again ({reason})"),
    };
    Failure::new(code, message)
}

/// The failure that an `availability` of the metadata tells.
pub(in crate::source) fn availability(value: &str) -> Option<Failure> {
    match value {
        "private" => Some(typed(failure::VIDEO_PRIVATE, "")),
        "needs_auth" | "subscriber_only" | "premium_only" => Some(typed(failure::LOGIN_WANTED, "")),
        _ => None,
    }
}
