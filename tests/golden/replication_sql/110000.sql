select pg_is_in_recovery(),
  case when pg_is_in_recovery() then coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) else pg_current_wal_flush_lsn() end,
  case when pg_is_in_recovery() then pg_last_wal_receive_lsn() end,
  case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end,
  case when pg_is_in_recovery() then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end,
  case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_lsn()) end,
  (select timeline_id from pg_control_checkpoint()),
  current_setting('synchronous_standby_names'),
  null,
  (select system_identifier from pg_control_system());
select r.pid, r.usename, r.application_name, host(r.client_addr), r.client_port, r.state,
  r.sent_lsn, r.write_lsn, r.flush_lsn, r.replay_lsn,
  extract(epoch from r.replay_lag), r.sync_priority, r.sync_state,
  null,
  case when s.ssl then s.version end, s.clientdn
from pg_stat_replication r
left join pg_stat_ssl s on s.pid = r.pid
where not (coalesce(r.application_name, '') = 'xroad-companion' and r.state = 'startup')
order by r.application_name, r.pid;
select slot_name, slot_type, active, restart_lsn, null, null
from pg_replication_slots order by slot_name;
select pid, status, received_lsn, received_tli,
  extract(epoch from clock_timestamp() - last_msg_receipt_time), latest_end_lsn, slot_name, sender_host, sender_port
from pg_stat_wal_receiver where pid is not null;
select pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), case when pg_is_wal_replay_paused() then 'paused' else 'not paused' end;
select pg_wal_replay_pause();
select pg_wal_replay_resume();
