// A central system of ocpp-go, as its documentation shows one. It serves ws://HOST:PORT/ocpp/{identity} until its standard
// input closes. The library logs nothing and validates every message unless told otherwise.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	ocpp16 "github.com/lorenzodonini/ocpp-go/ocpp1.6"
	"github.com/lorenzodonini/ocpp-go/ocpp1.6/core"
	"github.com/lorenzodonini/ocpp-go/ocpp1.6/types"
)

const heartbeatInterval = 300 // seconds

type centralSystem struct {
	transactions atomic.Int64
}

func accepted() *types.IdTagInfo {
	return types.NewIdTagInfo(types.AuthorizationStatusAccepted)
}

func (*centralSystem) OnAuthorize(string, *core.AuthorizeRequest) (*core.AuthorizeConfirmation, error) {
	return core.NewAuthorizationConfirmation(accepted()), nil
}

func (*centralSystem) OnBootNotification(string, *core.BootNotificationRequest) (*core.BootNotificationConfirmation, error) {
	now := types.NewDateTime(time.Now())
	return core.NewBootNotificationConfirmation(now, heartbeatInterval, core.RegistrationStatusAccepted), nil
}

func (*centralSystem) OnDataTransfer(string, *core.DataTransferRequest) (*core.DataTransferConfirmation, error) {
	return core.NewDataTransferConfirmation(core.DataTransferStatusUnknownVendorId), nil
}

func (*centralSystem) OnHeartbeat(string, *core.HeartbeatRequest) (*core.HeartbeatConfirmation, error) {
	return core.NewHeartbeatConfirmation(types.NewDateTime(time.Now())), nil
}

func (*centralSystem) OnMeterValues(string, *core.MeterValuesRequest) (*core.MeterValuesConfirmation, error) {
	return core.NewMeterValuesConfirmation(), nil
}

func (*centralSystem) OnStatusNotification(string, *core.StatusNotificationRequest) (*core.StatusNotificationConfirmation, error) {
	return core.NewStatusNotificationConfirmation(), nil
}

func (system *centralSystem) OnStartTransaction(string, *core.StartTransactionRequest) (*core.StartTransactionConfirmation, error) {
	return core.NewStartTransactionConfirmation(accepted(), int(system.transactions.Add(1))), nil
}

func (*centralSystem) OnStopTransaction(string, *core.StopTransactionRequest) (*core.StopTransactionConfirmation, error) {
	return core.NewStopTransactionConfirmation(), nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: server PORT")
		os.Exit(2)
	}
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := ocpp16.NewCentralSystem(nil, nil)
	server.SetCoreHandler(&centralSystem{})
	server.Start(port, "/ocpp/{identity}")
	fmt.Fprintf(os.Stderr, "cannot listen on port %d\n", port)
	os.Exit(1)
}
