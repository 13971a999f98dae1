select pg_is_in_recovery(),
  case when pg_is_in_recovery() then coalesce(pg_last_xlog_receive_location(), pg_last_xlog_replay_location()) else pg_current_xlog_location() end,
  case when pg_is_in_recovery() then pg_last_xlog_receive_location() end,
  case when pg_is_in_recovery() then pg_last_xlog_replay_location() end,
  case when pg_is_in_recovery() then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end,
  case when not pg_is_in_recovery() then pg_xlogfile_name(pg_current_xlog_location()) end,
  null,
  current_setting('synchronous_standby_names'),
  null,
  null;
select r.pid, r.usename, r.application_name, host(r.client_addr), r.client_port, r.state,
  r.sent_location, r.write_location, r.flush_location, r.replay_location,
  null, r.sync_priority, r.sync_state,
  null,
  case when s.ssl then s.version end, s.clientdn
from pg_stat_replication r
left join pg_stat_ssl s on s.pid = r.pid
where not (coalesce(r.application_name, '') = 'xroad-companion' and r.state = 'startup')
order by r.application_name, r.pid;
select slot_name, slot_type, active, restart_lsn, null, null
from pg_replication_slots order by slot_name;
;
select pg_last_xlog_receive_location(), pg_last_xlog_replay_location(), case when pg_is_xlog_replay_paused() then 'paused' else 'not paused' end;
select pg_xlog_replay_pause();
select pg_xlog_replay_resume();
