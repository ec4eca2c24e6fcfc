//! One suite, every runtime: each scenario is an ordinary generic async function, listed once below, and a test of its
//! own on each runtime that `runtimes.rs` names.
//!
//! On a real runtime a scenario asserts order, counts and lower bounds. In the simulator it runs under many schedules,
//! and instants are exact.

#[macro_use]
mod runtimes;
mod cancel;
mod docket;
mod flow;
mod limit;
mod observe;
mod pipeline;
mod queue;
mod resilience;
mod spawn;
mod support;
mod sync;
mod task;
mod time;
mod work;

use cancel::{ambient, cleanups, deadlines, endings, graces, nesting, shields};
use docket::docket_memory;
#[cfg(feature = "sqlite")]
use docket::docket_sqlite;
use task::{
    background, failing, groups, leaving, local, local_background, local_starting, shutdown, starting, waiting,
};
use time::{instants, intervals};

on_every_runtime! {
    instants {
        a_sleep_is_never_early
        a_sleep_of_zero_is_ready_at_once
        sleeps_that_are_due_together_end_in_the_order_of_their_first_polls
        the_earlier_deadline_comes_first_whoever_registered_first
        a_sleep_that_is_reset_earlier_ends_then
        a_sleep_that_is_reset_later_ends_then
        a_sleep_that_has_ended_can_be_reset
        a_dropped_sleep_leaves_the_queue_and_drops_its_waker
        the_last_waker_is_the_one_that_is_woken
    }
    intervals {
        bursts_catch_up_with_the_schedule
        ticks_are_a_stream
        delays_start_the_schedule_anew
        skips_keep_to_the_schedule
        a_dropped_tick_is_not_lost
    }
    spawn {
        tasks_keep_their_names_and_come_to_their_end
        a_task_drops_its_future_when_it_is_done
        a_task_that_is_never_spawned_drops_its_future
        a_closure_spawns
        block_on_waits_for_other_threads
        block_on_is_a_poll_stack_of_its_own
    }
    endings {
        a_cancelling_drops_the_body
        a_flag_is_looked_at_before_the_first_poll_and_after_each_pending
        a_dropped_run_drops_its_body_and_cancels_nothing
        b_a_body_is_never_started_in_a_cancelled_scope
        b_a_body_is_never_started_past_the_deadline
        b_a_body_is_never_started_past_the_deadline_of_an_ancestor
        b_a_ready_body_wins_at_the_deadline_instant
        b_a_ready_body_wins_in_a_cancelled_scope
        c_cancel_called_is_not_caught
        d_the_first_reason_stays
        d_a_reason_of_each_kind_is_read_inside_and_in_the_outcome
        d_timed_out_needs_the_own_deadline_first
        d_an_ancestors_deadline_is_no_time_out
        d_errors_of_the_body_are_not_mixed_with_those_of_the_scope
        cancelling_from_another_thread_reaches_every_task
        many_children_are_all_told
        futures_are_send
    }
    nesting {
        e_the_outermost_cancelled_scope_wins_along_one_poll_stack
        e_a_scope_that_is_entered_twice_ends_at_its_outer_run
        e_the_outermost_of_three_wins_when_all_are_past_their_deadlines
        e_sub_executors_of_the_body_are_part_of_its_poll_stack
        e_in_another_task_a_run_resolves_itself_with_the_ancestors_reason
        e_in_another_task_an_ancestors_deadline_that_nobody_runs_is_kept
        e_behind_a_foreign_block_on_a_run_resolves_itself
        e_behind_a_foreign_block_on_deadlines_of_the_outer_run_are_kept
        e_behind_a_foreign_block_on_a_scope_that_is_shared_late_is_heard
        e_on_another_thread_a_scope_that_is_shared_late_is_heard
        e_a_scope_that_is_first_shared_by_cancelling_it_wakes_its_run
        e_our_block_on_is_a_barrier
        e_a_run_that_ends_wakes_a_descendant_that_relied_on_it
        e_a_descendant_moved_out_of_the_body_keeps_the_outer_deadline
        e_a_wait_for_the_own_scope_survives_its_run
        e_runs_of_one_scope_on_two_threads_leave_no_mark
        e_two_runs_of_one_scope_that_poll_at_one_time_both_hold_back_what_is_inside
        e_a_run_that_may_not_begin_is_left_to_the_cancelled_body_around_it
    }
    deadlines {
        f_moving_a_deadline_later_never_uncancels
        f_after_counts_from_entry
        f_is_cancelled_reads_flags_and_check_reads_the_clock
        a_deadline_moved_earlier_wakes_whoever_waits
        a_deadline_moved_later_is_kept
        a_deadline_moved_by_the_body_itself_counts
        g_the_effective_deadline_is_the_minimum
        g_cancelled_is_a_value_of_its_own
        k_a_waker_may_enter_the_scope_that_fires_it
        k_a_waker_that_panics_keeps_nobody_waiting
    }
    shields {
        b_a_shield_entered_in_a_cancelled_scope_starts_its_body
        g_through_a_shield_a_deadline_counts_as_one_later_by_the_budget
        g_through_a_shield_cancelled_counts_from_when_it_was_held_back
        h_a_cancelled_run_keeps_its_body_until_the_shield_inside_is_over
        h_a_budget_ends_what_takes_too_long
        h_the_budget_may_be_raised_and_lowered_while_somebody_waits
        h_a_shield_hides_ancestors_only
        h_a_shield_covers_the_future_it_wraps_and_no_longer
        h_a_shield_holds_among_others_of_the_same_body
        e_what_runs_beside_a_shield_stays_without_being_polled_for_nothing
        h_behind_a_block_on_nobody_waits_for_ever
        h_a_shield_that_moves_to_another_task_lets_the_first_go
        h_shields_in_the_current_scope
        h_a_budget_counts_from_when_the_shield_around_lets_a_cancelling_through
        h_a_shield_that_is_dropped_leaves_those_inside_it_their_budgets
        h_a_budget_counts_from_when_a_deadline_was_moved_into_the_past
        i_a_foreign_drop_defeats_a_shield_and_what_is_deferred_survives_it
    }
    graces {
        j_during_a_grace_what_has_begun_goes_on_and_may_begin_scopes
        j_what_is_waited_for_to_begin_with_is_given_up_when_a_grace_begins
        j_all_who_watch_are_told_at_once
        j_the_first_reason_stays_and_the_earlier_end_counts
        j_a_shield_hides_a_grace_and_its_end_counts_later
        j_a_grace_that_ends_unnoticed_is_noticed_by_the_clock
    }
    cleanups {
        a_cleanup_follows_a_body_that_is_cut_short
        a_cleanup_follows_nothing_else
        a_cleanup_can_not_hold_the_program_up_for_longer_than_its_budget
        e_cleanups_are_done_from_inside_outwards_before_the_outermost_goes
        e_two_cleanups_side_by_side_are_both_done
        a_cleanup_of_a_scope_that_is_cancelled_itself_lets_the_body_around_go_on
        a_scope_waits_for_what_was_left_behind_before_it_moves_on
        what_was_left_behind_elsewhere_keeps_nobody_waiting
    }
    ambient {
        a_scope_is_current_during_poll_and_drop
        what_was_current_is_put_back_also_on_panic
        scopes_are_current_innermost_first
        free_functions_lie_in_the_current_scope
        free_functions_count_from_their_first_poll
        a_moved_future_stays_in_the_scope_of_its_first_poll
        outside_any_scope_there_is_no_deadline
    }
    sync {
        a_semaphore_lets_only_so_many_in
        permits_come_in_the_order_in_which_they_were_asked_for
        a_semaphore_that_shrinks_below_what_is_out_lets_in_as_many_as_it_has_then
        closing_a_semaphore_turns_away_who_waits
        a_wait_for_a_permit_that_is_cut_short_takes_none
        a_limiter_knows_who_holds_what
        an_event_lets_all_tasks_go
        signals_for_one_reach_as_many_as_there_are
        tasks_meet_at_a_barrier_round_after_round
        an_arrival_that_is_cut_short_is_withdrawn
        a_watcher_sees_the_latest_value
        a_condition_works_with_the_mutex_of_async_lock
        a_condition_works_with_the_mutex_of_tokio
        a_condition_works_with_the_mutex_of_futures
        a_foreign_mutex_is_free_after_a_wait_for_it_was_cut_short
        a_foreign_read_write_lock_is_free_after_a_cancelled_writer
        a_foreign_once_cell_is_filled_by_the_next_after_a_cancelled_one
        a_foreign_event_is_waited_for_in_a_scope
        a_foreign_channel_loses_nothing_to_a_receive_that_is_cut_short
    }
    queue {
        items_arrive_in_order_and_the_capacity_is_kept
        several_consumers_share_what_there_is
        closing_drains
        a_dropped_send_that_waited_takes_its_value_along
        closing_gives_back_what_waits_to_be_sent
        the_last_receiver_gone_gives_waiting_values_back
        a_receive_that_is_cut_short_takes_nothing
    }
    limit {
        permits_come_at_the_rate
        waiters_are_served_in_order
        what_would_come_too_late_is_refused_at_once
        a_waiter_that_gives_up_gives_its_place_back
        keys_are_waited_for_by_themselves
        what_is_reserved_for_a_key_goes_back_unless_it_is_committed
        a_key_that_is_given_up_leaves_its_turn_to_the_next
        several_limits_are_granted_together
        composites_that_name_their_limits_in_another_order_dont_wait_in_a_circle
        streams_and_calls_share_a_line
        calls_in_flight_are_no_more_than_there_is_room_for
    }
    groups {
        a_group_ends_when_its_body_and_all_children_are_gone
        an_empty_group_ends_with_its_body
        children_spawn_siblings
        a_handle_tells_how_far_its_child_is_and_gives_the_result_once
        a_dropped_handle_detaches_nothing
        a_handle_cancels_its_own_child_alone
        a_child_that_is_cancelled_by_its_handle_sees_that_at_once
        children_lie_in_the_scope_of_the_group
        names_tell_who_is_there
        a_group_that_is_over_gives_the_future_back
        a_child_of_a_cancelled_group_is_not_begun
        partial_results_are_there_after_the_deadline
        f_a_deadline_that_is_moved_is_heard_each_time
        f_a_child_hears_what_others_do_with_its_own_scope
        group_futures_are_send_and_boxed_groups_nest
    }
    failing {
        the_first_failure_cancels_body_and_siblings
        a_body_that_fails_cancels_its_children_under_every_policy
        supervised_children_fail_by_themselves
        the_first_one_done_cancels_the_others
        d_whom_the_first_one_has_cancelled_is_not_cut_short_by_the_group
        the_first_one_that_is_well_cancels_the_others
        all_errors_survive_and_cancellations_are_filtered_out
        a_panic_is_raised_again_when_all_are_gone
        a_panic_of_the_body_is_raised_again_when_all_are_gone
        a_panic_in_a_destructor_is_its_childs
        a_task_that_its_executor_drops_is_lost_at_once
        an_inner_failure_stays_inside_unless_it_leaves_the_inner_group
        k_a_waker_that_panics_keeps_nobody_waiting
    }
    leaving {
        a_dropped_group_cancels_its_children_at_once
        k_a_waker_that_panics_does_not_come_out_of_a_group_that_is_dropped
        what_outlives_a_dropped_group_is_known_by_name
        several_may_wait_for_a_group_to_quiesce
        e_a_group_in_the_body_of_a_cancelled_scope_is_cut_with_it
        a_scope_waits_for_the_groups_that_it_cut_short
        h_a_shield_in_a_child_holds_the_group
        j_a_group_that_winds_down_takes_no_more_children
        e_a_group_whose_scope_is_cancelled_from_elsewhere_says_so
        b_a_group_whose_children_are_done_in_time_is_not_cancelled
        b_a_group_in_a_cancelled_scope_does_not_begin
        children_of_a_dropped_group_end_in_scopes_of_their_own
        a_closure_that_panics_leaves_no_child_behind
    }
    background {
        the_background_ends_with_the_main_children
        the_background_is_cancelled_after_the_main_children
        a_background_child_knows_why_it_ends
        a_failure_in_the_background_cancels_the_group
        whom_the_background_spawns_at_the_end_is_not_begun
        k_a_waker_that_panics_keeps_no_background_child
        what_is_cancelled_while_the_background_ends_cuts_nothing_short
    }
    starting {
        a_start_gives_the_handle_and_a_value
        what_fails_before_the_start_is_an_error_of_the_start
        what_fails_after_the_start_is_an_error_of_the_group
        a_child_that_never_says_that_it_has_started_is_an_error
        a_start_in_a_cancelled_group_says_so
        a_dropped_start_cancels_its_child
        an_error_that_a_dropped_start_had_goes_to_the_group
        a_group_waits_for_who_waits_for_a_start
        what_is_said_after_the_child_is_gone_comes_back
        a_start_whose_spawner_panics_is_waited_for_by_nobody
    }
    local {
        children_borrow_and_run_while_the_body_awaits
        a_local_group_ends_when_all_are_gone
        local_children_spawn_siblings
        the_first_local_failure_cancels_the_others
        local_policies_are_those_of_groups
        a_local_panic_is_raised_when_all_are_gone
        dropping_a_local_group_drops_every_child_whoever_panics
        a_local_child_is_cancelled_by_its_handle
        a_deadline_cuts_a_local_group_short
        e_a_local_group_in_a_cancelled_body_is_cut_with_it
        h_a_shield_in_a_local_child_holds_the_group
        j_a_local_group_that_winds_down_takes_no_more_children
        b_a_local_child_of_a_cancelled_group_is_not_begun
        local_groups_are_spawned_from_elsewhere_and_waited_for_elsewhere
        children_that_are_not_send_share_a_cell
        a_wake_up_polls_that_child_alone
        local_groups_nest_in_tasks_of_groups
        f_a_local_child_hears_what_others_do_with_its_own_scope
        a_closure_that_panics_leaves_no_local_child_behind
        k_a_waker_that_panics_keeps_no_child_of_a_dropped_local_group_uncounted
    }
    local_background {
        the_local_background_serves_while_the_others_are_cut_short
        the_local_background_ends_with_the_others_and_knows_why
        a_failure_in_the_local_background_cancels_the_group
        whom_the_local_background_spawns_at_the_end_is_not_begun
        k_a_waker_that_panics_keeps_no_local_background_child
        what_is_cancelled_while_the_local_background_ends_cuts_nothing_short
    }
    local_starting {
        a_local_start_gives_the_handle_and_a_value_that_may_be_borrowed
        a_local_start_that_is_not_send_shares_a_cell
        an_error_before_a_local_start_is_its_own_and_one_afterwards_the_groups
        a_local_child_that_never_says_that_it_has_started_is_an_error
        a_dropped_local_start_cancels_its_child_and_gives_the_group_its_error
        a_local_group_waits_for_who_waits_for_a_start
        a_local_start_outlives_the_group_that_was_dropped
    }
    shutdown {
        phases_are_shut_down_in_order_and_all_are_in_one_place
        a_clean_shutdown_takes_no_longer_than_its_tasks
        a_phase_whose_turn_has_come_gives_futures_back
        a_shutdown_that_is_dropped_goes_on_where_it_was
        blocking_work_gives_its_result
        cancelling_abandons_the_result_and_not_the_thread
        b_blocking_work_is_not_begun_in_a_cancelled_scope
        k_a_waker_that_panics_does_not_come_out_of_whoever_leaves_last
    }
    waiting {
        outputs_of_all_are_in_the_order_of_their_futures
        the_first_error_drops_the_others_before_it_is_given
        the_winner_of_a_race_outlives_the_losers
        the_first_to_be_completed_leaves_the_others_running
        b_what_is_done_at_the_instant_of_the_limit_counts
        a_break_out_of_those_that_are_completed_drops_the_rest
        a_bounded_map_never_runs_more_than_its_limit
        a_wake_up_polls_that_one_alone
        who_wakes_itself_starves_nobody
        a_panic_goes_on_to_whoever_waits_and_the_set_remains
        every_destructor_runs_whichever_of_them_panic
        children_that_lost_are_cancelled_and_gone
        a_scope_cuts_short_what_waits_in_a_set
        handles_that_cancel_take_the_children_of_the_losers_along
        sets_and_maps_say_when_they_have_ended
    }
    resilience {
        attempts_come_when_the_schedule_says
        a_server_says_when_to_come_back
        nobody_waits_for_an_attempt_that_would_be_too_late
        tasks_share_a_budget_for_retries
        a_breaker_opens_and_finds_out_when_to_close
        a_probe_that_is_cut_short_is_given_back
        a_bulkhead_turns_away_who_finds_no_room
        a_hedge_takes_the_first_that_is_well
        what_stands_around_a_call_nests
    }
    flow {
        a_debounce_runs_the_last_of_three_calls
        spaced_calls_keep_their_distance
        subscribers_see_what_their_policies_promise
        merged_streams_give_all_that_their_tasks_send
        the_items_of_a_key_keep_their_order_where_bodies_wait_for_other_tasks
        handlers_fail_each_for_itself
    }
    observe {
        a_dump_says_what_the_tasks_of_a_runtime_wait_for
    }
    work {
        every_item_is_in_one_place
        workers_that_are_tasks_share_source_and_sink
        no_key_has_more_items_in_work_than_its_number
        a_consumer_takes_results_in_order_while_workers_go_on
        what_the_deadline_leaves_is_given_back
        workers_drain_a_queue_that_a_task_fills
        what_is_done_again_and_again_stops_between_two_iterations
        a_pool_lends_its_objects_in_order_and_loses_none
        a_worker_pool_tells_every_ticket_and_drains
        cancelling_the_scope_ends_the_run_with_a_report
    }
    pipeline {
        stages_pass_items_on_in_order
        a_stage_that_stops_loses_no_item
        cancelling_the_scope_ends_all_stages_with_a_report
    }
}
