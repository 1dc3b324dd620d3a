//! Why a watch ends or is refused.

use greenstar_kernel::{LocalizedText, Position, Revision, Said};
use greenstar_store::StoreError;

/// Each names the subscriber's next step.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FeedError {
    /// CURSOR_TOO_OLD: the log no longer keeps what follows the cursor.
    #[error("the cursor is too old")]
    CursorTooOld,
    /// TOKEN_FOREIGN: the position is of another life of the database.
    #[error("the position is of another life of the database")]
    Foreign,
    /// TOKEN_AHEAD: nothing was committed there yet.
    #[error("the position is beyond the head of the log")]
    Ahead,
    /// WATCH_CUT_OFF: too many frames behind. The cursor, its last frame's end, stays valid; it is zero
    /// for one that did not take its snapshot in time.
    #[error("the subscriber fell too far behind at revision {}", .cursor.revision)]
    CutOff { cursor: Position },
    /// WATCH_MALFORMED: not the order of messages that a watch has.
    #[error("the watch is malformed: {0}")]
    Malformed(&'static str),
    /// ACKNOWLEDGEMENT_AHEAD: it was sent everything up to `sent`, and no more.
    #[error("the subscriber acknowledges or rejects what was not sent; it was sent up to {sent}")]
    AcknowledgementAhead { sent: Revision },
    /// SUBSCRIBER_REPLACED: the name is taken by a later watch, or an operator removed it.
    #[error("another watch took the subscriber's name, or it was removed")]
    Replaced,
    /// SUBSCRIBER_UNKNOWN: nobody is registered, or connected here, by this name.
    #[error("no subscriber has this name")]
    SubscriberUnknown,
    /// SUBSCRIBER_CONNECTED: it lives, or may still answer as fresh, so that it has to be waited for.
    #[error("the subscriber is connected, or still promises to answer as fresh")]
    SubscriberConnected,
    /// WATCH_FILTER_INVALID: this log knows nothing by which it could be narrowed so.
    #[error("the filter's {field} cannot narrow this log")]
    FilterInvalid { field: &'static str },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Said for FeedError {
    fn said(&self) -> LocalizedText {
        match self {
            FeedError::CursorTooOld => LocalizedText::new(
                "订阅位置太旧，变更日志已不保留；请不带游标重新打开订阅，先取得完整快照。",
                "The cursor is too old for the log; open the watch again without one and take the snapshot.",
            ),
            FeedError::Foreign => LocalizedText::new(
                "该位置来自恢复备份或重装之前的数据库；请不带令牌重新查询或订阅。",
                "The position is from another life of the database; ask again without it.",
            ),
            FeedError::Ahead => LocalizedText::new(
                "该位置尚不存在；请不带令牌重新查询，并告知运维人员。",
                "Nothing was committed at this position yet; ask again without it and tell the operator.",
            ),
            FeedError::CutOff { .. } => LocalizedText::new(
                "订阅方读取过慢，连接已断开；请从最后收到的位置重新打开订阅。",
                "The subscriber read too slowly and was cut off; open the watch again from its cursor.",
            ),
            FeedError::Malformed(what) => LocalizedText::new(
                format!("订阅消息不符合约定（{what}）；请先发送 open，再发送 ping 与确认。"),
                format!("The watch is malformed ({what}); send open first, then pings and acknowledgements."),
            ),
            FeedError::AcknowledgementAhead { sent } => LocalizedText::new(
                format!(
                    "确认或拒绝了尚未发送的版次（已发送至 {sent}）；请只确认已收到的版次，并从该处重新打开订阅。"
                ),
                format!(
                    "The subscriber speaks of what it was not sent; acknowledge at most {sent}, and open the watch again from there."
                ),
            ),
            FeedError::Replaced => LocalizedText::new(
                "同名订阅方已另行打开订阅，或运维人员已将其移除；每个订阅方请使用各自的名称。",
                "Another watch was opened under this name, or an operator removed it; give every subscriber a name of its own.",
            ),
            FeedError::SubscriberUnknown => LocalizedText::new(
                "没有这个名称的订阅方；请核对名称，或先打开订阅。",
                "No subscriber has this name; check it, or open the watch first.",
            ),
            FeedError::SubscriberConnected => LocalizedText::new(
                "该订阅方仍在线，或仍可能给出最新答复，不能移除；请先停止它，待其断开或被隔离后再移除。",
                "The subscriber is connected or may still answer as fresh; stop it, and remove it once it is disconnected or fenced.",
            ),
            FeedError::FilterInvalid { field } => LocalizedText::new(
                format!("筛选条件 {field} 对该变更日志无意义，或目录中没有所列的值；请更正或去掉该条件。"),
                format!(
                    "The filter's {field} names what this log does not know; correct it or leave it out."
                ),
            ),
            FeedError::Store(error) => error.said(),
        }
    }
}
