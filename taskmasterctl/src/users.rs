//! The names of users: the daemon knows their numbers only, because to look a name up can take long.

use nix::unistd::{Uid, User};
use serde_json::{Value, json};

/// Names the users who are attached to the processes of a `status`, as far as they have names here.
pub(crate) fn name(status: &mut Value) {
    let processes = list(status, "processes").into_iter().flatten();
    let viewers = processes.filter_map(|process| list(process, "attached"));
    for viewer in viewers.flatten().filter_map(Value::as_object_mut) {
        let uid = viewer.get("uid").and_then(Value::as_u64);
        if let Some(name) = uid.and_then(name_of) {
            viewer.insert("user".into(), json!(name));
        }
    }
}

fn list<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Vec<Value>> {
    value.get_mut(key)?.as_array_mut()
}

fn name_of(uid: u64) -> Option<String> {
    let uid = Uid::from_raw(uid.try_into().ok()?);
    User::from_uid(uid).ok().flatten().map(|user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_name_is_named_and_nothing_else_is_touched() {
        let mut status = json!({"processes": [
            {"name": "a", "attached": [{"uid": 0}, {"uid": 4_000_000_000_u32}, 7]}, {"name": "b"}]});
        name(&mut status);
        let root = name_of(0).expect("there is a root");
        let want = json!({"processes": [
            {"name": "a", "attached": [{"uid": 0, "user": root}, {"uid": 4_000_000_000_u32}, 7]}, {"name": "b"}]});
        assert_eq!(status, want);
        for strange in [json!([]), json!(null), json!({"processes": 7})] {
            let mut answer = strange.clone();
            name(&mut answer);
            assert_eq!(answer, strange);
        }
    }
}
