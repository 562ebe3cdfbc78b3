use super::{Failure, RunEvent};

impl RunEvent {
    /// Rewrites every text that a person or a program wrote, and leaves the names that formats and the fold
    /// go by: a secret that is called `pass` must not hide a verdict.
    pub fn map_text(&mut self, rewrite: &dyn Fn(&mut String)) {
        let all = |texts: &mut Vec<String>| texts.iter_mut().for_each(rewrite);
        let some = |text: &mut Option<String>| text.iter_mut().for_each(rewrite);
        match self {
            RunEvent::StagePassed { detail, .. } => some(detail),
            RunEvent::Pulling { image, .. } => rewrite(image),
            RunEvent::ActionStarted { text, .. } => rewrite(text),
            RunEvent::ActionFinished { action, detail, .. } => {
                some(&mut action.reason);
                rewrite(&mut action.text);
                rewrite(&mut action.output);
                all(detail);
            }
            RunEvent::CheckPending { text, so_far, .. } => {
                rewrite(text);
                rewrite(so_far);
            }
            RunEvent::CheckFinished { check, failure, .. } | RunEvent::WaitFinished { wait: check, failure, .. } => {
                rewrite(&mut check.text);
                some(&mut check.reason);
                some(&mut check.proof_reason);
                check.evidence.iter_mut().for_each(|evidence| rewrite(&mut evidence.key));
                if let Some(Failure { author, explanation, output, journal }) = failure {
                    some(author);
                    all(explanation);
                    all(output);
                    all(journal);
                }
            }
            RunEvent::QuestionFinished { question, .. } => {
                rewrite(&mut question.text);
                some(&mut question.reason);
            }
            RunEvent::StepWitnessed { events, .. } => events.iter_mut().for_each(|event| {
                some(&mut event.key);
                some(&mut event.detail);
            }),
            RunEvent::StepStopped { reason, .. } => rewrite(reason),
            RunEvent::LabStopped { reason, detail, .. } => {
                rewrite(reason);
                all(detail);
            }
            RunEvent::KeysLeft { keys, .. } => all(keys),
            RunEvent::Noticed { message, .. } => rewrite(message),
            RunEvent::DiagnosticFound { diagnostic } => {
                rewrite(&mut diagnostic.message);
                some(&mut diagnostic.hint);
            }
            RunEvent::ClusterReady { vars, .. } => vars.iter_mut().for_each(|(_, value)| rewrite(value)),
            RunEvent::LabStarted { title, .. } | RunEvent::StepStarted { title, .. } => rewrite(title),
            RunEvent::RunStarted { .. }
            | RunEvent::LeftOut(_)
            | RunEvent::RunSaved { .. }
            | RunEvent::StepFinished { .. }
            | RunEvent::LabFinished { .. }
            | RunEvent::Interrupted
            | RunEvent::RunFinished { .. } => {}
        }
    }
}
