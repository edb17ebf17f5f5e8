//! Who a program runs as: names and numbers looked up in the system's user database.

use std::collections::BTreeMap;
use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::check::Surroundings;
use super::node::Node;
use super::values::Parsed;
use crate::config::model::Identity;

/// The identities looked up so far: ten thousand programs of one user ask once.
#[derive(Debug, Default)]
pub(super) struct Users {
    known: BTreeMap<String, Result<Option<Identity>, Vec<Wrong>>>,
}

/// What is wrong with one of the three keys. The place is not part of it: another program may have the same
/// words elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) key: &'static str,
    /// Which of its elements, where it has several.
    pub(super) element: usize,
    pub(super) what: String,
}

/// All that is wrong with the three keys.
#[derive(Default)]
struct Wrongs(Vec<Wrong>);

impl Wrongs {
    fn add(&mut self, key: &'static str, element: usize, what: String) {
        self.0.push(Wrong { key, element, what });
    }

    /// What was found; if nothing was, an element of `key` is to blame.
    fn found<T>(&mut self, key: &'static str, element: usize, found: Parsed<T>) -> Option<T> {
        found.map_err(|what| self.add(key, element, what)).ok()
    }
}

/// The three keys that say who.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) user: Option<&'a Node>,
    pub(super) group: Option<&'a Node>,
    pub(super) groups: Option<&'a Node>,
}

impl Users {
    /// Whom is meant; `None` for the daemon's own user with the groups it has.
    pub(super) fn identity(
        &mut self,
        asked: Asked<'_>,
        env: &Surroundings,
    ) -> Result<Option<Identity>, Vec<Wrong>> {
        if asked.user.is_none() && asked.group.is_none() && asked.groups.is_none() {
            return Ok(None);
        }
        let question = format!("{:?}", asked.texts());
        self.known
            .entry(question)
            .or_insert_with(|| {
                let mut wrongs = Wrongs::default();
                let identity = look_up(asked, env, &mut wrongs);
                match wrongs.0.is_empty() {
                    true => Ok(identity),
                    false => Err(wrongs.0),
                }
            })
            .clone()
    }
}

impl Asked<'_> {
    fn texts(&self) -> [Vec<Option<&str>>; 3] {
        [self.user, self.group, self.groups].map(|node| {
            let elements = node.map_or(&[] as &[Node], Node::elements);
            elements.iter().map(Node::text).collect()
        })
    }
}

/// Whom is meant; `None` for who the daemon is already, and where something is wrong.
fn look_up(asked: Asked<'_>, env: &Surroundings, wrongs: &mut Wrongs) -> Option<Identity> {
    let user = asked
        .user
        .map_or_else(|| Found::number(env.euid), find_user);
    let user = wrongs.found("user", 0, user);
    let group = asked
        .group
        .map(|node| wrongs.found("group", 0, find_group(node)));
    if env.euid != 0 {
        unprivileged(asked, user.as_ref(), group.flatten(), env, wrongs);
        return None;
    }
    let groups = asked.groups.map(|node| find_groups(node, wrongs));
    let user = user?;
    let gid = match (group, user.gid) {
        (Some(group), _) => group?,
        (None, Some(gid)) => gid,
        (None, None) if user.uid == env.euid => env.egid,
        (None, None) => {
            let uid = user.uid;
            let what = format!("uid {uid} is not in the user database; give group too");
            wrongs.add("user", 0, what);
            return None;
        }
    };
    let mut groups = match groups {
        Some(groups) => groups,
        None => wrongs.found("user", 0, user.groups(gid))?,
    };
    groups.push(gid);
    groups.sort_unstable();
    groups.dedup();
    Some(Identity {
        name: user.name,
        uid: user.uid,
        gid,
        groups,
        home: user.home,
        shell: user.shell,
    })
}

/// What is wrong with the three keys whoever the daemon is, and whatever may stand beside each.
pub(super) fn unknown(asked: Asked<'_>) -> Vec<Wrong> {
    let mut wrongs = Wrongs::default();
    if let Some(node) = asked.user {
        wrongs.found("user", 0, find_user(node));
    }
    if let Some(node) = asked.group {
        wrongs.found("group", 0, find_group(node));
    }
    if let Some(node) = asked.groups {
        find_groups(node, &mut wrongs);
    }
    wrongs.0
}

/// Who is not root can ask only for what it is already. Whom it asks for may not have been found.
fn unprivileged(
    asked: Asked<'_>,
    user: Option<&Found>,
    gid: Option<u32>,
    env: &Surroundings,
    wrongs: &mut Wrongs,
) {
    let remedy = "start taskmasterd as root, or remove the key";
    if user.is_some_and(|user| user.uid != env.euid) {
        let euid = env.euid;
        let what =
            format!("only root can switch users, and the daemon runs as uid {euid}; {remedy}");
        wrongs.add("user", 0, what);
    }
    let what = format!("only root can switch groups; {remedy}");
    if gid.is_some_and(|gid| gid != env.egid) {
        wrongs.add("group", 0, what.clone());
    }
    if asked.groups.is_some() {
        wrongs.add("groups", 0, what);
    }
}

/// A user as the database has it, or a number that it does not know.
struct Found {
    name: String,
    uid: u32,
    gid: Option<u32>,
    home: String,
    shell: String,
}

impl Found {
    fn number(uid: u32) -> Parsed<Self> {
        match User::from_uid(Uid::from_raw(uid)) {
            Ok(Some(user)) => Ok(Self::known(user)),
            Ok(None) => Ok(Self {
                name: uid.to_string(),
                uid,
                gid: None,
                home: "/".into(),
                shell: "/bin/sh".into(),
            }),
            Err(error) => Err(format!("uid {uid} cannot be looked up: {}", error.desc())),
        }
    }

    fn known(user: User) -> Self {
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: Some(user.gid.as_raw()),
            home: user.dir.to_string_lossy().into_owned(),
            shell: user.shell.to_string_lossy().into_owned(),
        }
    }

    /// All groups of the user; of a number without a name, the primary one alone.
    fn groups(&self, gid: u32) -> Parsed<Vec<u32>> {
        if self.gid.is_none() {
            return Ok(vec![gid]);
        }
        let name = CString::new(self.name.as_str()).map_err(|error| error.to_string())?;
        let groups = getgrouplist(&name, Gid::from_raw(gid)).map_err(|error| {
            let name = &self.name;
            format!("the groups of {name} cannot be looked up: {}", error.desc())
        })?;
        Ok(groups.into_iter().map(Gid::as_raw).collect())
    }
}

/// The number that stands there, if it is one. The number -1, however it is written, means "leave as it is" to
/// setresuid(2): who asked for that user would stay root.
fn number(text: &str) -> Parsed<Option<u32>> {
    let signed = text.strip_prefix(['#', '-', '+']).unwrap_or(text);
    if signed.is_empty() || !signed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(number) if number != u32::MAX && signed == text => Ok(Some(number)),
        Ok(_) | Err(_) => Err(format!(
            "\"{text}\" is no user or group; write a name, or a number from 0 to 4294967294"
        )),
    }
}

fn find_user(node: &Node) -> Parsed<Found> {
    let text = super::values::word(node)?;
    if let Some(uid) = number(&text)? {
        return Found::number(uid);
    }
    match User::from_name(&text) {
        Ok(Some(user)) => Ok(Found::known(user)),
        Ok(None) => Err(format!(
            "no such user \"{text}\"; create it, or name another"
        )),
        Err(error) => Err(format!("\"{text}\" cannot be looked up: {}", error.desc())),
    }
}

/// The uid of a user, for the owner of the socket.
pub(super) fn uid(node: &Node) -> Parsed<u32> {
    find_user(node).map(|user| user.uid)
}

/// The gid of a group.
pub(super) fn find_group(node: &Node) -> Parsed<u32> {
    let text = super::values::word(node)?;
    if let Some(gid) = number(&text)? {
        return Ok(gid);
    }
    match Group::from_name(&text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(format!(
            "no such group \"{text}\"; create it, or name another"
        )),
        Err(error) => Err(format!("\"{text}\" cannot be looked up: {}", error.desc())),
    }
}

fn find_groups(node: &Node, wrongs: &mut Wrongs) -> Vec<u32> {
    let elements = node.elements().iter().enumerate();
    elements
        .filter_map(|(element, node)| wrongs.found("groups", element, find_group(node)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn node(text: &str) -> Node {
        crate::config::file::parse(text, 0).unwrap()
    }

    fn surroundings(euid: u32) -> Surroundings {
        Surroundings {
            euid,
            egid: euid,
            ..Surroundings::default()
        }
    }

    fn user(text: &str, euid: u32) -> Parsed<Option<Identity>> {
        let asked = Asked {
            user: Some(&node(text)),
            group: None,
            groups: None,
        };
        let identity = Users::default().identity(asked, &surroundings(euid));
        identity.map_err(|wrongs| wrongs[0].what.clone())
    }

    #[test]
    fn minus_one_is_nobody_however_it_is_written() {
        for bad in [
            "-1",
            "4294967295",
            "4294967296",
            "\"#0\"",
            "\"#-1\"",
            "+0",
            "''",
            "~",
            "[root]",
            "nobody2",
            "../../x",
        ] {
            assert!(user(bad, 0).is_err(), "{bad}");
        }
    }

    #[test]
    fn root_has_a_home_and_all_its_groups() {
        let root = user("root", 0).unwrap().unwrap();
        assert_eq!((root.uid, root.gid, root.home.as_str()), (0, 0, "/root"));
        assert!(root.groups.contains(&0) && root.groups.is_sorted());
        assert_eq!(user("0", 0), Ok(Some(root)));
    }

    #[test]
    fn only_root_switches() {
        assert!(user("root", 1000).unwrap_err().starts_with("only root"));
        let own = Asked {
            user: Some(&node("54321")),
            group: Some(&node("54321")),
            groups: None,
        };
        assert_eq!(
            Users::default().identity(own, &surroundings(54321)),
            Ok(None)
        );
        let other = Asked {
            group: Some(&node("7")),
            ..own
        };
        assert!(
            Users::default()
                .identity(other, &surroundings(54321))
                .is_err()
        );
    }

    // Two programs that ask for the same hear of it each at its own place, so the place is not remembered.
    #[test]
    fn every_key_that_is_wrong_is_blamed() {
        let blamed = |euid: u32, user: &str, group: &str, groups: &str| -> Vec<(&str, usize)> {
            let asked = Asked {
                user: Some(&node(user)),
                group: Some(&node(group)),
                groups: Some(&node(groups)),
            };
            let wrongs = Users::default()
                .identity(asked, &surroundings(euid))
                .unwrap_err();
            let wrongs = wrongs.iter().map(|wrong| (wrong.key, wrong.element));
            wrongs.collect::<BTreeSet<_>>().into_iter().collect()
        };
        let all = [("group", 0), ("groups", 0), ("groups", 2), ("user", 0)];
        assert_eq!(blamed(0, "nosuch", "nosuch", "[nosuch, 8, nosuch]"), all);
        let keys = [("group", 0), ("groups", 0), ("user", 0)];
        for user in ["nosuch", "55555"] {
            assert_eq!(blamed(54321, user, "nosuch", "[nosuch, 8, nosuch]"), keys);
        }
        assert_eq!(blamed(0, "54321", "nosuch", "[8]"), [("group", 0)]);
        assert_eq!(blamed(0, "54321", "7", "[8, nosuch, 9]"), [("groups", 1)]);
        assert_eq!(blamed(0, "54321", "7", "nosuch"), [("groups", 0)]);
        assert_eq!(blamed(54321, "7", "7", "[7]"), keys);
        assert_eq!(blamed(54321, "54321", "54321", "[7]"), [("groups", 0)]);
    }

    #[test]
    fn a_number_without_a_name_needs_a_group() {
        assert!(user("54321", 0).unwrap_err().ends_with("give group too"));
        let asked = Asked {
            user: Some(&node("54321")),
            group: Some(&node("7")),
            groups: Some(&node("[9, 8]")),
        };
        let identity = Users::default().identity(asked, &surroundings(0));
        let identity = identity.unwrap().unwrap();
        assert_eq!((identity.uid, identity.gid), (54321, 7));
        assert_eq!(identity.groups, [7, 8, 9]);
    }
}
