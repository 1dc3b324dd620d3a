//! Why a watch ends or is refused.

use greenstar_kernel::{LocalizedText, Position, Said};
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
            FeedError::Store(error) => error.said(),
        }
    }
}
