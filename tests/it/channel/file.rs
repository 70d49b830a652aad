//! The transport "file".

use stammgast::base::id::Id;
use stammgast::channel::file::MailFolder;
use stammgast::model::attempt::Delivery;

#[tokio::test]
async fn a_repeated_mail_is_the_same_file_and_nothing_unfinished_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mails = MailFolder::new(folder.path().join("data/mails"));
    for text in ["first", "second"] {
        assert!(matches!(mails.write(Id(7), text).await, Delivery::Accepted { reply } if reply.ends_with("7.eml")));
    }
    let files: Vec<_> = std::fs::read_dir(folder.path().join("data/mails")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["7.eml"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("data/mails/7.eml")).unwrap(), "second");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_tried_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let delivery = MailFolder::new(file.path().join("below")).write(Id(7), "x").await;
    assert!(matches!(delivery, Delivery::Retry { detail, .. } if detail.contains("7.eml")));
}
