use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{Change, Entry, Journal, JournalView, KeyGlob, Mark, Revision};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
}

fn put(key: &str, revision: Revision, value: &str) -> Entry {
    Entry::Put(Change::new(key, revision, at(1)).created(revision, 1).value(value.to_owned()))
}

fn delete(key: &str, revision: Revision) -> Entry {
    Entry::Delete(Change::new(key, revision, at(1)))
}

fn listed(key: &str, revision: Revision, value: &str) -> Change {
    Change::new(key, revision, at(0)).created(revision, 1).value(value.to_owned())
}

fn text(view: &JournalView, key: &str, revision: Revision) -> Option<String> {
    let seq = view.at_revision(view.epoch(), revision).expect("the journal reaches there");
    view.state(key, seq).and_then(|change| change.value.as_ref().map(|stored| stored.text()))
}

#[test]
fn the_state_at_any_revision_is_known_and_at_none_beyond() {
    let journal = Journal::new("/");
    journal.listed(10, at(0), vec![listed("/a", 5, "old")]);
    journal.push(put("/a", 12, "new"));
    journal.push(put("/b", 14, "b"));
    journal.push(delete("/a", 15));
    let view = journal.view();
    assert_eq!(text(&view, "/a", 10).as_deref(), Some("old"));
    assert_eq!(text(&view, "/a", 11).as_deref(), Some("old"), "revision 11 changed another key");
    assert_eq!(text(&view, "/a", 14).as_deref(), Some("new"));
    assert_eq!(text(&view, "/a", 15), None);
    assert!(view.at_revision(0, 9).is_none(), "before the list nothing is known");
    assert!(view.at_revision(0, 16).is_none(), "16 has not been delivered");
    journal.delivered(20, at(2));
    assert!(view.at_revision(0, 16).is_some_and(|seq| seq == view.end()));
}

#[test]
fn a_view_does_not_move_when_the_journal_grows() {
    let journal = Journal::new("/");
    journal.listed(1, at(0), Vec::new());
    let before = journal.view();
    journal.push(put("/a", 2, "1"));
    assert!(before.state("/a", before.end()).is_none());
    assert!(before.changes(&KeyGlob::new("**"), 0).is_empty() && !before.has_held("/a"));
    assert_eq!(journal.view().changes(&KeyGlob::new("**"), 0).len(), 1);
}

#[test]
fn a_change_knows_the_value_before_it_and_a_delete_what_it_deleted() {
    let journal = Journal::new("/");
    journal.listed(1, at(0), vec![listed("/a", 1, "0")]);
    journal.push(put("/a", 2, "1"));
    journal.push(delete("/a", 3));
    journal.push(put("/a", 4, "again"));
    let entries = journal.view().entries(0, |_| true);
    let previous = |index: usize| {
        let change = entries[index].entry.change().expect("a change");
        change.previous.as_ref().map(|stored| stored.text())
    };
    assert_eq!((previous(0).as_deref(), previous(1).as_deref(), previous(2)), (Some("0"), Some("1"), None));
    let gone = entries[1].entry.change().expect("a change");
    assert_eq!((gone.create_revision, gone.version), (2, 1), "those of the deleted value");
}

#[test]
fn listing_again_after_a_hole_finds_what_vanished_and_what_is_new() {
    let journal = Journal::new("/");
    journal.listed(1, at(0), vec![listed("/gone", 1, "x"), listed("/same", 1, "y")]);
    journal.push(Entry::Gap { from: 2, to: 9, reason: "compacted".to_owned(), at: at(1) });
    journal.listed(10, at(1), vec![listed("/same", 1, "y"), listed("/new", 7, "z")]);
    let view = journal.view();
    assert_eq!(text(&view, "/gone", 10), None);
    assert_eq!(text(&view, "/same", 10).as_deref(), Some("y"));
    assert_eq!(text(&view, "/new", 10).as_deref(), Some("z"));
    assert!(view.changes(&KeyGlob::new("**"), 0).is_empty(), "what was listed is no event");
    assert!(view.has_held("/gone"));
    assert!(view.deletion("/gone", view.end()).is_none(), "nobody saw it go");
}

#[test]
fn a_new_store_has_its_own_revisions() {
    let journal = Journal::new("/");
    journal.listed(100, at(0), vec![listed("/a", 90, "old")]);
    let before = Mark { revision: 100, at: at(0), wall: at(0), epoch: 0, read: true };
    journal.push(Entry::Epoch { reason: "restored".to_owned(), at: at(1) });
    assert_eq!(journal.view().delivered(), None);
    journal.listed(50, at(1), vec![listed("/a", 40, "restored")]);
    journal.push(put("/a", 100, "after"));
    let view = journal.view();
    assert_eq!((view.epoch(), journal.revision()), (1, 100));
    let then = view.at(&before).expect("the old store stays known");
    assert_eq!(
        view.state("/a", then).and_then(|change| change.value.clone()).map(|v| v.text()).as_deref(),
        Some("old")
    );
    assert_eq!(text(&view, "/a", 50).as_deref(), Some("restored"));
    assert_eq!(text(&view, "/a", 100).as_deref(), Some("after"));
}

#[test]
fn what_is_discarded_has_not_happened_and_the_moments_around_it_stay_known() {
    let journal = Journal::new("/");
    journal.listed(10, at(0), vec![listed("/a", 5, "old")]);
    journal.push(put("/a", 11, "kept"));
    let kept = journal.view().end();
    journal.push(put("/a", 12, "undone"));
    journal.push(put("/never", 13, "undone"));
    let undone = journal.view().end();
    journal.push(Entry::Epoch { reason: "restored".to_owned(), at: at(1) });
    journal.listed(11, at(1), vec![listed("/a", 11, "kept")]);
    journal.discard(kept, undone);
    journal.push(put("/a", 12, "again"));
    journal.delivered(12, at(2));
    let mut lines = Vec::new();
    journal.view().save(&mut lines, &ToOwned::to_owned).expect("it is saved");
    for journal in [journal, Journal::load(lines.as_slice()).expect("it loads")] {
        let view = journal.view();
        assert_eq!((view.epoch(), view.has_held("/never")), (1, false));
        let then = view.at_revision(0, 11).expect("the store before is known");
        let value = |seq| view.state("/a", seq).and_then(|change| change.value.clone()).map(|stored| stored.text());
        assert_eq!(value(then).as_deref(), Some("kept"));
        assert_eq!((text(&view, "/a", 11).as_deref(), text(&view, "/a", 12).as_deref()), (Some("kept"), Some("again")));
        let changes = view.changes(&KeyGlob::new("**"), 0);
        assert_eq!(changes.len(), 2, "{changes:?}");
    }
}

#[test]
fn a_saved_journal_loads_again_and_holds_no_secret() {
    let journal = Journal::new("/registry/");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db" },
        "data": { "password": "aHVudGVyMnNlY3JldA==" },
    });
    journal.listed(10, at(0), vec![listed("/registry/secrets/demo/db", 5, &secret.to_string())]);
    journal.push(put(
        "/registry/configmaps/demo/c",
        11,
        "{\"kind\":\"ConfigMap\",\"data\":{\"token\":\"my-own-token\"}}",
    ));
    journal.push(put("/registry/plain", 12, "text with my-own-token"));
    journal.push(put("/registry/bytes", 13, "x"));
    journal.push(Entry::Put(Change::new("/registry/bytes", 14, at(1)).created(13, 2).value(vec![0xff, 0xfe])));
    journal.push(delete("/registry/plain", 15));
    journal.push(Entry::Gap { from: 16, to: 20, reason: "compacted".to_owned(), at: at(2) });
    journal.listed(20, at(2), vec![listed("/registry/secrets/demo/db", 5, &secret.to_string())]);
    journal.delivered(21, at(3));
    let mut saved = Vec::new();
    let redact = |text: &str| text.replace("my-own-token", "<12 bytes, hidden>");
    journal.view().save(&mut saved, &redact).expect("it is written");
    let text = String::from_utf8(saved.clone()).expect("text");
    assert!(!text.contains("aHVudGVy") && !text.contains("my-own-token"), "{text}");
    assert!(text.contains("<13 bytes, hidden>") && text.contains("<12 bytes, hidden>"));

    let loaded = Journal::load(saved.as_slice()).expect("it loads");
    let (old, new) = (journal.view(), loaded.view());
    assert_eq!(old.delivered(), new.delivered());
    assert_eq!(old.end(), new.end());
    let told = |view: &JournalView| {
        let entries = view.entries(0, |_| true).into_iter();
        entries
            .map(|r| (r.seq, r.entry.name(), r.entry.change().map(|c| (c.key.to_string(), c.revision))))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&old), told(&new));
    let everything = KeyGlob::new("**");
    for seq in 0..=old.end() {
        let keys =
            |view: &JournalView| view.states(&everything, seq).iter().map(|c| c.key.to_string()).collect::<Vec<_>>();
        assert_eq!(keys(&old), keys(&new), "at {seq}");
    }
    let mut again = Vec::new();
    new.save(&mut again, &|text| text.to_owned()).expect("it is written");
    assert_eq!(String::from_utf8(again).expect("text"), text, "saved again it is the same");
}

#[test]
fn a_file_that_is_no_journal_is_refused_at_its_line() {
    let error = |text: &str| Journal::load(text.as_bytes()).err().expect("it is refused").to_string();
    assert!(error("").contains("it is empty"));
    assert!(error("{\"type\":\"GAP\"}").starts_with("line 1"));
    let header = "{\"type\":\"JOURNAL\",\"version\":1,\"scope\":\"/\"}\n";
    assert!(error(&format!("{header}no json")).starts_with("line 2"));
    assert!(error("{\"type\":\"JOURNAL\",\"version\":9,\"scope\":\"/\"}").contains("version 9"));
    let cut = "{\"type\":\"LISTED\",\"revision\":1,\"at\":\"2026-11-21T10:00:00Z\",\"keys\":2}\n";
    assert!(error(&format!("{header}{cut}")).contains("within a list"));
}

#[test]
fn what_was_shown_is_forgotten_but_for_the_state_that_it_led_to() {
    let at = SystemTime::UNIX_EPOCH;
    let journal = Journal::new("");
    journal.listed(1, at, Vec::new());
    let put = |key: &str, revision, value: &str| {
        journal.push(Entry::Put(Change::new(key, revision, at).created(revision, 1).value(value.to_owned())));
    };
    put("a", 2, "1");
    put("b", 3, "1");
    journal.push(Entry::Delete(Change::new("b", 4, at)));
    put("a", 5, "2");
    let shown = journal.view().end();
    journal.forget(shown);
    put("a", 6, "3");
    let view = journal.view();
    assert_eq!(view.entries(0, |_| true).len(), 1, "only what came since");
    assert_eq!(
        view.state("a", shown).and_then(|change| change.value.clone()).map(|value| value.text()),
        Some("2".to_owned())
    );
    assert_eq!(view.state("b", view.end()).map(|change| change.revision), None);
    let last = view.entries(shown, |_| true).pop().expect("the last change");
    let before = last.entry.change().and_then(|change| change.previous.clone()).map(|value| value.text());
    assert_eq!(before, Some("2".to_owned()), "what it changed is known");
    assert_eq!(view.revision_at(view.end()), Some(6));
}
