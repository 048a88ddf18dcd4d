//! What one seat was told and has said, as a server is told it.

use serde::Serialize;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
}

/// One message of a conversation, as the API has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

/// The conversation of one seat: prompts of the user, replies of the assistant, in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    messages: Vec<Message>,
}

impl Conversation {
    /// The seat is told something. Where it has not answered what came before, both are one message: many servers want the
    /// two sides to take turns.
    pub fn prompt(&mut self, text: &str) {
        match self.messages.last_mut() {
            Some(last) if last.role == Role::User => {
                last.content.push('\n');
                last.content.push_str(text);
            }
            _ => self.messages.push(Message { role: Role::User, content: text.to_string() }),
        }
    }

    /// The seat has answered. What is empty was not said: a failed call is none of the model's words.
    pub fn reply(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.messages.push(Message { role: Role::Assistant, content: text.to_string() });
        }
    }

    pub fn messages(&self) -> &[Message] {
        &self.messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_sides_take_turns_also_where_a_reply_is_missing() {
        let mut conversation = Conversation::default();
        conversation.prompt("Your move?");
        conversation.reply("b2");
        conversation.prompt("And now?");
        conversation.reply(" \n");
        conversation.prompt("Your reply was empty.");
        let said: Vec<(Role, &str)> =
            conversation.messages().iter().map(|message| (message.role, message.content.as_str())).collect();
        let expected =
            [(Role::User, "Your move?"), (Role::Assistant, "b2"), (Role::User, "And now?\nYour reply was empty.")];
        assert_eq!(said, expected);
    }
}
