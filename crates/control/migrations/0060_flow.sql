-- How far the stream of an order is, as the control that passes it on has counted: bytes that went through, and about how many it will be.
alter table verb_order add column bytes bigint check (bytes >= 0), add column bytes_expected bigint check (bytes_expected >= 0);

create function order_flow(p_order uuid, p_bytes bigint, p_expected bigint) returns void
language sql security definer set search_path = public, pg_temp as $$
    update verb_order set bytes = p_bytes, bytes_expected = p_expected where id = p_order and state <> 'failed'
$$;
grant execute on function order_flow(uuid, bigint, bigint) to husorden_system;
