-- What a transaction touches is found by keys from here on, whatever the statistics of a young farm say of the size of its
-- tables; and each of its statements is planned once by each connection.
select
    set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true),
    set_config('jit', 'off', true),
    set_config('plan_cache_mode', 'force_generic_plan', true)
